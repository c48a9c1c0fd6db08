"""The parts of a speak input: each type with what it takes, said once for messages and for the schema.

Numbers are numbers: `"1"` and `true` are none, nor are NaN and infinity. It knows no models, formats' rates or
voices; those are checked by the rooms that have them.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

TEXT_CHARS = 100_000
TURNS = 1000
PARAMS_DEPTH, PARAMS_NODES = 8, 1000

LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$"
VOICE_PART = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,79}$"
REFERENCE = re.compile(r"(https|s3)://\S+|volume:\S+")


class Shape(BaseModel):
    """An object of the input: known fields only, strict types, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def takes(what: str, default: Any = None, **bounds: Any) -> Any:
    """A field and what it takes, in words."""
    return Field(default, description=what, **bounds)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Refuses what JSON does not have and what no engine's options need."""
    nodes = 0
    level: list[Any] = [value]
    for _ in range(PARAMS_DEPTH):
        inner: list[Any] = []
        for node in level:
            nodes += 1
            if isinstance(node, dict):
                inner += [*node.keys(), *node.values()]
            elif isinstance(node, list):
                inner += node
            elif isinstance(node, float) and not math.isfinite(node):
                raise ValueError("holds a number that is not finite")
            elif isinstance(node, int) and abs(node) >= 2**63:
                raise ValueError("holds a whole number of more than 64 bits")
            elif not isinstance(node, str | int | float | None):
                raise ValueError("holds what is no JSON")
        level = inner
        if nodes + len(level) > PARAMS_NODES:
            raise ValueError(f"holds more than {PARAMS_NODES} values")
    if level:
        raise ValueError(f"is nested more than {PARAMS_DEPTH} deep")
    return value


def _reference(value: str) -> str:
    if not REFERENCE.fullmatch(value):
        raise ValueError("is no `https://`, `s3://` or `volume:` address")
    return value


def _form(value: Any) -> str | None:
    """Which form of a field an object is: by the one key that only this form has."""
    if isinstance(value, str):
        return "@string"
    if not isinstance(value, dict):
        return None
    named = [key for key in ("reference", "design", "blend") if key in value]
    return f"@{named[0]}" if named else "@reference"


Text = Annotated[str, Field(min_length=1)]
Params = Annotated[dict[str, Any], AfterValidator(_plain)]
Language = Annotated[str, Field(pattern=LANGUAGE)]
Speed = Annotated[float, Field(ge=0.5, le=2.0)]
Format = Annotated[
    Literal["wav", "mp3", "opus", "flac", "aac", "pcm", "mulaw", "alaw"],
    BeforeValidator(lambda value: "opus" if value == "ogg" else value),
]


class TextReference(Shape):
    reference: Annotated[str, Field(max_length=4096), AfterValidator(_reference)] = Field(
        description="an `https://`, `s3://` or `volume:` address of a txt or md file"
    )


Recording = Annotated[str, Field(min_length=1)]


class VoiceReference(Shape):
    reference: Recording | Annotated[list[Recording], Field(min_length=1, max_length=5)] = Field(
        description="an address, a data URL or base64, or a list of up to 5 of them", repr=False
    )
    transcript: str | None = Field(None, description="a string of at most 5,000 characters", max_length=5000)


class VoiceDesign(Shape):
    design: str = Field(description="a string of 1 to 2,000 characters", min_length=1, max_length=2000)


class VoiceBlend(Shape):
    blend: Annotated[
        dict[Annotated[str, Field(pattern=VOICE_PART)], Annotated[float, Field(ge=0.001, le=1000)]],
        Field(min_length=1, max_length=8),
    ] = Field(description="an object of 1 to 8 voice ids, each with a share from 0.001 to 1,000")

    def written(self) -> str:
        """As a string says it, so that both ways of asking are one voice."""
        return "+".join(f"{id}({share:.6g})" for id, share in self.blend.items())


VOICE = "a voice id, a blend such as `af_heart(0.6)+af_sky(0.4)`, or an object with `reference`, `design` or `blend`"
TEXT = f"a string of 1 to {TEXT_CHARS:,} characters"

TextSource = Annotated[
    Annotated[Text, Tag("@string")] | Annotated[TextReference, Tag("@reference")],
    Discriminator(lambda value: form if (form := _form(value)) in ("@string", None) else "@reference"),
]
VoiceName = Annotated[str, Field(min_length=1, max_length=512)]
VoiceSource = Annotated[
    Annotated[VoiceName, Tag("@string")]
    | Annotated[VoiceReference, Tag("@reference")]
    | Annotated[VoiceDesign, Tag("@design")]
    | Annotated[VoiceBlend, Tag("@blend")],
    Discriminator(_form),
]


class VerifyLimits(Shape):
    max_wer: float = Field(0.15, ge=0, le=1, description="a number from 0 to 1")
    attempts: int = Field(3, ge=1, le=5, description="a whole number from 1 to 5")


Verify = Annotated[
    Annotated[bool, Tag("@flag")] | Annotated[VerifyLimits, Tag("@limits")],
    Discriminator(lambda value: "@limits" if isinstance(value, dict | VerifyLimits) else "@flag"),
]


class Turn(Shape):
    """One turn of a dialogue; what it leaves out is the request's."""

    text: str = Field(min_length=1, description=TEXT)
    voice: VoiceSource | None = takes(VOICE)
    pause: float | None = takes("seconds from 0 to 10", ge=0, le=10)
    language: Language | None = takes("a language code such as `en` or `pt-br`")
    speed: Speed | None = takes("a number from 0.5 to 2")
    params: Params | None = takes("an object of the model's own knobs")
