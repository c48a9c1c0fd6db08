"""Input of the small operations: checked by pydantic, and every mistake told as one Failure."""

import difflib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from basics.errors import Failure
from operations.fields import Shape


class Input(Shape):
    op: str = ""

    @classmethod
    def parse(cls, given: Any) -> Self:
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise told(error, list(cls.model_fields)) from None


class Told(BaseModel):
    """What a client of some other API sends, read as leniently as it is there; its mistakes are one Failure too."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, protected_namespaces=())

    @model_validator(mode="wrap")
    @classmethod
    def _in_our_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise told(error, list(cls.model_fields)) from None


def told(error: ValidationError, known: list[str], prefix: str = "") -> Failure:
    """The first mistake, with the field's path and the nearest known name."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known))}."
        return Failure("invalid_input", f"Unknown field `{path[:128]}`.", field=path[:128], hint=hint)
    return Failure("invalid_input", f"`{path}`: {first['msg']}.", field=path)
