"""What `speak` is asked: the input checked field by field, before anything is loaded.

`SpeakRequest.parse` takes whatever a door was given and answers with a request or one `Failure` that names the
field, its limit and the way out. A field that is null is as if it were left out, except `loudness`, where null
means: leave it as it is. What this build cannot do is refused, never ignored. Models, voices, languages and a
format's rates are checked by the rooms that know them.
"""

import hashlib
import json
import secrets
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from basics.errors import Failure
from operations.complaint import complaint, invalid
from operations.fields import (
    TEXT,
    TEXT_CHARS,
    TURNS,
    VOICE,
    Format,
    Language,
    Params,
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
from speech.characters import check
from speech.script import Part

ALIASES = {"prompt": "text", "voice_url": "voice"}
SEEDS = 2**63
BITRATED = ("mp3", "opus", "aac")


class SpeakRequest(Shape):
    op: Literal["speak"] = takes("`speak`", "speak")
    text: TextSource | None = takes(TEXT)
    turns: Annotated[tuple[Turn, ...], Field(strict=False, min_length=1, max_length=TURNS)] | None = takes(
        f"a list of 1 to {TURNS:,} turns, each an object with `text`"
    )
    model: str | None = takes("a model's id or alias", min_length=1, max_length=128)
    voice: VoiceSource | None = takes(VOICE)
    language: Language | None = takes("a language code such as `en` or `pt-br`")
    speed: Speed = takes("a number from 0.5 to 2", 1.0)
    pitch: float = takes("semitones from -12 to 12", 0.0, ge=-12, le=12)
    params: Params = takes("an object of the model's own knobs", {})
    take: int = takes("a whole number from 0", 0, ge=0, lt=SEEDS)
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | Literal["random"] | None = takes(
        "a whole number from 0 to 2^63-1, or `random`"
    )
    instructions: str | None = takes("a string of 1 to 2,000 characters", min_length=1, max_length=2000)
    format: Format = takes("one of wav, mp3, opus, flac, aac, pcm, mulaw, alaw", "wav")
    sample_rate: int | None = takes("a whole number from 8000 to 48000", ge=8000, le=48_000)
    bitrate: int | None = takes("kbit/s, a whole number from 16 to 320", ge=16, le=320)
    loudness: float | None = takes("LUFS from -40 to -5, or null", -16.0, ge=-40, le=-5)
    delivery: Literal["auto", "stream", "inline", "url", "volume"] = takes(
        "one of auto, stream, inline, url, volume", "auto"
    )
    keep: bool = takes("true or false", False)
    captions: Literal["none", "words", "srt", "vtt"] = takes("one of none, words, srt, vtt", "none")
    verify: Verify = takes("true, false or an object with `max_wer` and `attempts`", False)
    lexicon: dict[str, str] | Annotated[str, Field(min_length=1, max_length=64)] | None = takes(
        "an object of words and spoken forms, or a stored lexicon's name"
    )
    normalize: bool = takes("true or false", True)
    cache: bool = takes("true or false", True)
    """Does nothing where no store is set up."""
    key: str | None = takes("a string of 1 to 128 characters", min_length=1, max_length=128)
    stamp: Literal["metadata", "watermark", "both", "none"] = takes(
        "one of metadata, watermark, both, none", "metadata"
    )
    dry_run: bool = takes("true or false", False)
    s3: dict[str, Any] | None = Field(None, alias="s3Config", description="an object", repr=False)
    """The job's own bucket, unchecked here; never logged or stored."""

    @classmethod
    def parse(cls, input: object) -> Self:
        given, spelt = _named(input)
        try:
            request = cls.model_validate(given)
        except ValidationError as error:
            raise complaint(error, cls, spelt) from None
        request._check_text(spelt)
        request._check_together()
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

    def _check_together(self) -> None:
        if self.seed is not None and self.take:
            raise invalid("take", "`take` goes into the seed that is derived; with `seed` given, leave it out.")
        if self.bitrate is not None and self.format not in BITRATED:
            named = ", ".join(BITRATED)
            raise invalid("bitrate", f"`bitrate` is for {named}; `format` is {self.format}. Leave it out.")


def derive_seed(request: SpeakRequest, *, model: str = "", voice: str = "", language: str = "") -> int:
    """The seed asked for, a drawn one, or that of the request: the same however it is delivered or encoded.

    What the request leaves to defaults is given as it was resolved, so that naming a default changes nothing.
    """
    if request.seed == "random":
        return secrets.randbelow(SEEDS)
    if request.seed is not None:
        return request.seed
    parts = [
        [part.text, part.voice or voice, part.language or language, part.speed, part.params] for part in request.parts()
    ]
    matters = [model or request.model, parts, request.pitch, request.take, request.instructions, request.normalize]
    digest = hashlib.sha256(json.dumps(matters, sort_keys=True, default=Shape.model_dump).encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS


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
