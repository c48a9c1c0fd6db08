"""What `speak` is asked: the input checked field by field, before anything is loaded.

`SpeakRequest.parse` takes whatever a door was given and answers with a request or one `Failure` that names the
field, its limit and the way out. A field that is null is as if it were left out, except `loudness`, where null
means: leave it as it is. What this build cannot do is refused, never ignored. Models, voices, languages and a
format's rates are checked by the rooms that know them.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from basics.errors import Failure
from operations.complaint import complaint, invalid
from operations.fields import (
    TEXT,
    TEXT_CHARS,
    TURNS,
    VOICE,
    Language,
    Shape,
    Speed,
    TextSource,
    Turn,
    Verify,
    VoiceBlend,
    VoiceReference,
    VoiceSource,
    takes,
)
from operations.unbuilt import refuse_unbuilt
from operations.wishes import Wishes
from speech.characters import check
from speech.script import Part

ALIASES = {"prompt": "text", "voice_url": "voice"}


class SpeakRequest(Wishes):
    op: Literal["speak"] = takes("`speak`", "speak")
    text: TextSource | None = takes(TEXT)
    turns: Annotated[tuple[Turn, ...], Field(strict=False, min_length=1, max_length=TURNS)] | None = takes(
        f"a list of 1 to {TURNS:,} turns, each an object with `text`"
    )
    voice: VoiceSource | None = takes(VOICE)
    language: Language | None = takes("a language code such as `en` or `pt-br`")
    speed: Speed = takes("a number from 0.5 to 2", 1.0)
    pitch: float = takes("semitones from -12 to 12", 0.0, ge=-12, le=12)
    instructions: str | None = takes("a string of 1 to 2,000 characters", min_length=1, max_length=2000)
    verify: Verify = takes("true, false or an object with `max_wer` and `attempts`", False)
    lexicon: dict[str, str] | Annotated[str, Field(min_length=1, max_length=64)] | None = takes(
        "an object of words and spoken forms, or a stored lexicon's name"
    )
    normalize: bool = takes("true or false", True)

    @classmethod
    def parse(cls, input: object) -> Self:
        given, spelt = _named(input)
        try:
            request = cls.model_validate(given)
        except ValidationError as error:
            raise complaint(error, cls, spelt) from None
        request._check_text(spelt)
        request.check_wishes()
        refuse_unbuilt(request)
        return request

    def parts(self) -> tuple[Part, ...]:
        """What is to be said, each part with what it says of itself, else what the request says."""
        if isinstance(self.text, str):
            return (Part(self.text, _voice(self.voice), None, self.language or "", self.speed, self.params),)
        return tuple(self._part(number, turn) for number, turn in enumerate(self.turns or ()))

    def _part(self, number: int, turn: Turn) -> Part:
        return Part(
            turn.text,
            _voice(turn.voice if turn.voice is not None else self.voice),
            turn.pause,
            turn.language or self.language or "",
            turn.speed or self.speed,
            self.params if turn.params is None else {**self.params, **turn.params},
            number,
        )

    def _check_text(self, spelt: dict[str, str]) -> None:
        if (self.text is None) == (self.turns is None):
            raise invalid("text", "Give exactly one of `text` and `turns`.")
        if isinstance(self.text, str):
            _check_length(len(self.text), spelt.get("text", "text"))
            check(self.text, spelt.get("text", "text"))
        _check_length(sum(len(turn.text) for turn in self.turns or ()), "turns")
        for number, turn in enumerate(self.turns or ()):
            check(turn.text, f"turns[{number}].text")


def derive_seed(request: SpeakRequest, *, model: str = "", voice: str = "", language: str = "") -> int:
    """The seed asked for, a drawn one, or that of the request: the same however it is delivered or encoded.

    What the request leaves to defaults is given as it was resolved, so that naming a default changes nothing.
    """

    def digest() -> bytes:
        said = [
            [part.text, part.voice or voice, part.language or language, part.speed, part.params]
            for part in request.parts()
        ]
        how = [request.pitch, request.take, request.instructions, request.normalize]
        matters = [model or request.model, said, *how]
        return hashlib.sha256(json.dumps(matters, sort_keys=True, default=Shape.model_dump).encode()).digest()

    return request.settled_seed(digest)


def _named(input: object) -> tuple[dict[str, Any], dict[str, str]]:
    """The input by the fields' own names, and what the caller called those that had another."""
    if not isinstance(input, dict):
        raise invalid("input", '`input` must be an object, such as {"text": "Hello."}.')
    given = {key: value for key, value in input.items() if value is not None or key == "loudness" or not _known(key)}
    spelt: dict[str, str] = {}
    for alias, name in ALIASES.items():
        if alias in given:
            if name in given:
                raise invalid(alias, f"`{alias}` is another name of `{name}`; give one of them.")
            value = given.pop(alias)
            given[name] = {"reference": value} if alias == "voice_url" else value
            spelt[name] = alias
    return given, spelt


def _known(key: Any) -> bool:
    return key in ALIASES or key == "s3Config" or (key in SpeakRequest.model_fields and key != "s3")


def _voice(voice: Any) -> Any:
    if isinstance(voice, VoiceBlend):
        return voice.written()
    return voice.model_dump(exclude_none=True) if isinstance(voice, VoiceReference) else voice


def _check_length(chars: int, field: str) -> None:
    if chars > TEXT_CHARS:
        raise Failure(
            "text_too_long",
            f"`{field}` has {chars:,} characters; the limit is {TEXT_CHARS:,}.",
            field=field,
            hint="Send it as several jobs, cut between paragraphs.",
        )
