"""Input of the small operations: checked by pydantic, and every mistake told as one Failure."""

import difflib
from typing import Any, Self

from pydantic import ValidationError

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


def told(error: ValidationError, known: list[str], prefix: str = "") -> Failure:
    """The first mistake, with the field's path and the nearest known name."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = prefix + ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known))}."
        return Failure("invalid_input", f"Unknown field `{path[:128]}`.", field=path[:128], hint=hint)
    return Failure("invalid_input", f"`{path}`: {first['msg']}.", field=path)
