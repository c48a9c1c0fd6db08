"""What is wrong with an input, as one Failure: pydantic's findings put into our words.

A message names the field by its path, what it takes, and what was given, which is shown only where it is a
number or a short word: never text, addresses or keys.
"""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from basics.errors import Failure, printable
from operations.fields import TextReference, Turn, VerifyLimits, VoiceBlend, VoiceDesign, VoiceReference
from speech.characters import half_character

NAME_CHARS = 64
SHAPES: dict[str, type[BaseModel]] = {
    "turns": Turn,
    "@limits": VerifyLimits,
    "@reference": VoiceReference,
    "@design": VoiceDesign,
    "@blend": VoiceBlend,
}
PRIVATE = frozenset(
    {
        "audio",
        "text",
        "turns",
        "prompt",
        "instructions",
        "key",
        "lexicon",
        "reference",
        "transcript",
        "design",
        "s3Config",
    }
)
Place = tuple[int | str, ...]


def invalid(field: str, message: str, hint: str | None = None) -> Failure:
    return Failure("invalid_input", message, field=field, hint=hint)


def complaint(error: ValidationError, top: type[BaseModel], spelt: dict[str, str]) -> Failure:
    """The finding that explains most: an unknown field before all others, else the first."""
    found = error.errors(include_url=False, include_context=False)
    worst = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    place: Place = worst["loc"]
    if worst["type"] == "invalid_key" or not place:
        return invalid("input", "A field's name must be a string of valid Unicode.")
    if worst["type"] == "extra_forbidden":
        return _unknown(place, top, spelt)
    return _wrong(place, worst, top, spelt)


def _unknown(place: Place, top: type[BaseModel], spelt: dict[str, str]) -> Failure:
    known = _names(_shape(place[:-1], top))
    name = str(place[-1])[:NAME_CHARS]
    path = _path((*place[:-1], name), spelt)
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    hint = f"The fields here are: {', '.join(known)}."
    return invalid(path, f"`{path}` is not a field; the nearest is `{near[0]}`.", hint)


def _wrong(place: Place, found: Any, top: type[BaseModel], spelt: dict[str, str]) -> Failure:
    place, what = _explained(place, top)
    path = _path(place, spelt)
    if found["type"] == "missing":
        return invalid(path, f"`{path}` is missing; it is {what}.")
    if found["type"] == "value_error":
        return invalid(path, f"`{path}` {str(found['msg']).removeprefix('Value error, ')}; it takes {what}.")
    if found["type"] == "string_unicode":
        return half_character(found["input"], path)
    private = path.rpartition(".")[2].partition("[")[0] in PRIVATE
    return invalid(path, f"`{path}` takes {what}; given was {_shown(found['input'], private)}.")


def _explained(place: Place, top: type[BaseModel]) -> tuple[Place, str]:
    """The deepest place that has words for what it takes, and those words."""
    for end in range(len(place), 0, -1):
        name, shape = place[end - 1], _shape(place[: end - 1], top)
        field = next((info for key, info in shape.model_fields.items() if name in (key, info.alias)), None)
        if field is not None and field.description:
            return place[:end], field.description
        if isinstance(name, int) and place[:end] == ("turns", name):
            return place[:end], "an object with `text`"
    return place, "something else"


def _shape(place: Place, top: type[BaseModel]) -> type[BaseModel]:
    """The object whose fields are named at this place."""
    if place[:1] == ("text",):
        return TextReference
    return next((SHAPES[part] for part in reversed(place) if isinstance(part, str) and part in SHAPES), top)


def _names(shape: type[BaseModel]) -> list[str]:
    names = [info.alias or name for name, info in shape.model_fields.items()]
    return [*names, "prompt", "voice_url"] if "turns" in names else names


def _path(place: Place, spelt: dict[str, str]) -> str:
    """`turns[3].voice`, in the caller's own words, without pydantic's names of forms."""
    path = ""
    for depth, part in enumerate(place):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("@"):
            name = spelt.get(part, part) if depth == 0 else part
            path += f".{name}" if path else name
    return printable(path.replace("voice_url.reference", "voice_url", 1))


def _shown(value: Any, private: bool) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value) if abs(value) < 10**15 else "a number out of all bounds"
    if isinstance(value, str):
        short = not private and 0 < len(value) <= 32 and value.isprintable()
        return f"`{printable(value)}`" if short else f"a string of {len(value):,} characters"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return "an object" if isinstance(value, dict) else "something that is no JSON"
