"""ElevenLabs' speech API in our terms: their bodies as our input, our segments as their alignment.

Pure functions, for every door that speaks it. Of their settings, those that change what is said or how fast are
obeyed or refused; those that only shade the sound of their own models have no counterpart, and `unapplied` names
them for the answer. Why so, and what else differs from the original, is told in docs/http.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from basics.errors import Failure, printable
from operations.inputs import Told

OUTPUT_FORMAT = re.compile(r"(?P<codec>[a-z]+3?)_(?P<rate>\d{4,5})(_(?P<bitrate>\d{2,3}))?")
CODECS = {"mp3": "mp3", "pcm": "pcm", "wav": "wav", "ulaw": "mulaw", "alaw": "alaw", "opus": "opus"}
UNASKED = "mp3_44100_128"
STATUSES = {422: 400, 501: 400}
"""What their clients take for the caller's mistake."""
WORDS = {
    "unauthorised": "invalid_api_key",
    "unknown_voice": "voice_not_found",
    "unknown_model": "model_not_found",
    "busy": "too_many_concurrent_requests",
}
"""Their `status` where they have a word of their own; else it is our code."""
THEIRS = {"model": "model_id", "language": "language_code", "voice": "voice_id", "speed": "voice_settings.speed"}


class VoiceSettings(Told):
    speed: float | None = Field(None, description="0.5 to 2; the original has 0.7 to 1.2.")
    stability: float | None = Field(None, description="Not applied, and said so.")
    similarity_boost: float | None = Field(None, description="Not applied, and said so.")
    style: float | None = Field(None, description="Not applied, and said so.")
    use_speaker_boost: bool | None = Field(None, description="Not applied, and said so.")


class SpeechRequest(Told):
    text: str = Field(description="What to say.")
    model_id: str | None = Field(None, description="An id or an alias; the worker's default where it is left out.")
    language_code: str | None = None
    voice_settings: VoiceSettings | None = None
    seed: int | None = None
    previous_text: str | None = Field(None, description="Not applied, and said so.")
    next_text: str | None = Field(None, description="Not applied, and said so.")
    previous_request_ids: list[str] | None = Field(None, description="Not applied, and said so.")
    next_request_ids: list[str] | None = Field(None, description="Not applied, and said so.")
    use_pvc_as_ivc: bool | None = Field(None, description="Not applied, and said so.")
    apply_text_normalization: str | None = Field(None, description="`auto`, `on` or `off`.")
    apply_language_text_normalization: bool | None = Field(None, description="Refused where true.")
    pronunciation_dictionary_locators: list[Any] | None = Field(None, description="Refused where there are any.")
    audio_effects: dict[str, Any] | None = Field(None, description="Refused where there are any.")

    def as_input(self, voice: str, output_format: str | None = None) -> dict[str, Any]:
        """What `speak` is asked; how it is delivered is the door's to say."""
        self._refuse()
        given: dict[str, Any] = {"text": self.text, "voice": voice, **sound_of(output_format or UNASKED)}
        if self.model_id:
            given["model"] = self.model_id
        if self.language_code:
            given["language"] = self.language_code
        if self.seed is not None:
            given["seed"] = self.seed
        if self.voice_settings and self.voice_settings.speed is not None:
            given["speed"] = self.voice_settings.speed
        if self.apply_text_normalization == "off":
            given["normalize"] = False
        return given

    def unapplied(self) -> tuple[str, ...]:
        """What was sent and changes nothing here."""
        settings = self.voice_settings
        shades = ("stability", "similarity_boost", "style", "use_speaker_boost")
        around = ("previous_text", "next_text", "previous_request_ids", "next_request_ids", "use_pvc_as_ivc")
        return (
            *(f"voice_settings.{name}" for name in shades if settings and getattr(settings, name) is not None),
            *(name for name in around if getattr(self, name)),
        )

    def _refuse(self) -> None:
        for name in ("pronunciation_dictionary_locators", "audio_effects", "apply_language_text_normalization"):
            if getattr(self, name):
                raise Failure("not_supported", f"`{name}` has no counterpart here; leave it out.", field=name)
        if self.apply_text_normalization not in (None, "auto", "on", "off"):
            message = "`apply_text_normalization` is one of auto, on, off."
            raise Failure("invalid_input", message, field="apply_text_normalization")


def sound_of(output_format: str) -> dict[str, Any]:
    """`codec_rate_bitrate` as our `format`, `sample_rate` and `bitrate`."""
    match = OUTPUT_FORMAT.fullmatch(output_format)
    if match is None or match["codec"] not in CODECS:
        message = f"`output_format` is `codec_rate` or `codec_rate_bitrate` with a codec of {', '.join(CODECS)}."
        hint = f"Such as {UNASKED}, pcm_24000 or ulaw_8000."
        raise Failure("invalid_input", message, field="output_format", hint=hint)
    sound: dict[str, Any] = {"format": CODECS[match["codec"]], "sample_rate": int(match["rate"])}
    return sound | ({"bitrate": int(match["bitrate"])} if match["bitrate"] else {})


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of text and when it is heard, in seconds from the beginning."""

    text: str
    start: float
    end: float


def spoken(segments: Iterable[Mapping[str, Any]]) -> tuple[Spoken, ...]:
    """Of an answer of `speak`; nothing where it was too long for its segments to be told."""
    return tuple(
        Spoken(each["text"], each["start"], each["start"] + each["duration"]) for each in segments if "text" in each
    )


def alignment(stretches: Iterable[Spoken]) -> dict[str, list[Any]] | None:
    """Characters and their times. Known are the times of each stretch; within it they are spread evenly. A space
    between two stretches takes the pause between them."""
    characters: list[str] = []
    starts: list[float] = []
    ends: list[float] = []
    for stretch in stretches:
        if characters:
            characters.append(" ")
            starts.append(ends[-1])
            ends.append(max(ends[-1], round(stretch.start, 3)))
        step = max(0.0, stretch.end - stretch.start) / max(1, len(stretch.text))
        for place, character in enumerate(stretch.text):
            characters.append(printable(character))
            starts.append(round(stretch.start + place * step, 3))
            ends.append(round(stretch.start + (place + 1) * step, 3))
    if not characters:
        return None
    return {
        "characters": characters,
        "character_start_times_seconds": starts,
        "character_end_times_seconds": ends,
    }


def error_body(failure: Failure) -> dict[str, Any]:
    text = " ".join(filter(None, (failure.message, failure.hint)))
    for ours, theirs in THEIRS.items():
        text = text.replace(f"`{ours}`", f"`{theirs}`")
    return {"detail": {"status": WORDS.get(failure.code, failure.code), "message": printable(text)}}


def status(failure: Failure) -> int:
    return STATUSES.get(failure.status, failure.status)
