"""OpenAI's speech API in our terms: their body as our input, our events and answers as their objects and SSE.

Pure functions, for every door that speaks it; they know neither HTTP nor the queue. What differs from the original,
and why, is told in docs/http.md.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from basics.errors import Failure, printable
from operations.inputs import Told
from operations.roll import Ask, Speaker, speakers

PCM_RATE = 24_000
"""Clients take headerless sound to be so, whatever the model's own rate is."""
THEIRS = {"text": "input", "format": "response_format"}
"""Their names of our fields."""
STATUSES = {422: 400, 501: 400}
"""What their clients take for the caller's mistake; they repeat whatever is 500 or more."""


class SpeechRequest(Told):
    """Their body. What is ours and not theirs is marked so; what neither has is refused by name."""

    input: str = Field(description="What to say.")
    model: str | None = Field(None, description="An id or an alias; the worker's default where it is left out.")
    voice: str | dict[str, Any] | None = Field(
        None,
        description="One of OpenAI's 13 names, a voice's id, `{\"id\": ...}`, or a voice object of ours.",
    )
    instructions: str | None = Field(None, description="How to speak; refused by models that take none.")
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, description="0.5 to 2; the original has 0.25 to 4.")
    stream_format: Literal["audio", "sse"] = "audio"
    stream: bool | None = Field(None, description="Ours. False: the whole file at once, with an exact header.")
    language: str | None = Field(None, description="Ours.")
    lang_code: str | None = Field(None, description="Another name of `language`.")
    sample_rate: int | None = Field(None, description="Ours. Hz; `pcm` is at 24000 unless asked.")
    bitrate: int | None = Field(None, description="Ours. kbit/s, for mp3, opus and aac.")
    pitch: float | None = Field(None, description="Ours. Semitones.")
    loudness: float | None = Field(None, description="Ours. LUFS.")
    seed: int | None = Field(None, description="Ours.")
    take: int | None = Field(None, description="Ours.")
    params: dict[str, Any] | None = Field(None, description="Ours. The model's own knobs.")

    @property
    def streams(self) -> bool:
        return self.stream_format == "sse" or self.stream is not False

    def as_input(self) -> dict[str, Any]:
        """What `speak` is asked; how it is delivered is the door's to say."""
        if self.language and self.lang_code:
            raise Failure("invalid_input", "`lang_code` is another name of `language`; give one.", field="lang_code")
        if self.stream_format == "sse" and self.stream is False:
            raise Failure("invalid_input", "`stream_format: sse` is a stream; leave `stream` out.", field="stream")
        same = ("model", "instructions", "pitch", "loudness", "seed", "take", "params", "bitrate", "sample_rate")
        given = {name: value for name in same if (value := getattr(self, name)) not in (None, "")}
        if self.response_format == "pcm":
            given.setdefault("sample_rate", PCM_RATE)
        if language := self.language or self.lang_code:
            given["language"] = language
        if self.voice:
            given["voice"] = _voice(self.voice)
        return {"text": self.input, "format": self.response_format, "speed": self.speed, **given}


def _voice(voice: str | dict[str, Any]) -> Any:
    if isinstance(voice, dict) and "id" in voice:
        if set(voice) != {"id"} or not isinstance(voice["id"], str):
            raise Failure("invalid_input", '`voice` as an object of theirs is {"id": "..."}.', field="voice")
        return voice["id"]
    return voice


def delta(sound: bytes) -> str:
    """A piece of sound as SSE."""
    return _sse({"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()})


def ended(answer: Mapping[str, Any]) -> str:
    return _sse({"type": "speech.audio.done", "usage": usage(answer)})


def broken(failure: Failure) -> str:
    """A stream that fails half-way says so, as their clients look for `error`."""
    return _sse({"type": "error", **error_body(failure)})


def usage(answer: Mapping[str, Any]) -> dict[str, int]:
    """We have no tokens: a character said is counted as one in, a second of sound begun as one out."""
    spent = answer.get("usage") or {}
    said, heard = int(spent.get("characters", 0)), -int(-float(spent.get("audio_seconds", 0.0)) // 1)
    return {"input_tokens": said, "output_tokens": heard, "total_tokens": said + heard}


def error_body(failure: Failure) -> dict[str, Any]:
    text = " ".join(filter(None, (failure.message, failure.hint)))
    for ours, theirs in THEIRS.items():
        text = text.replace(f"`{ours}`", f"`{theirs}`")
    field = THEIRS.get(failure.field, failure.field) if failure.field else None
    return {
        "error": {
            "message": printable(text),
            "type": _kind(status(failure)),
            "param": printable(field) if field else None,
            "code": failure.code,
        }
    }


def status(failure: Failure) -> int:
    return STATUSES.get(failure.status, failure.status)


def _kind(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


async def models(ask: Ask) -> dict[str, Any]:
    """What this worker speaks with, by every name; in their shape, and as Open WebUI reads it."""
    served = (await ask({"op": "models.list", "served": True}))["models"]
    data = [model_object(name, card) for card in served for name in (card["id"], *card["aliases"])]
    return {"object": "list", "data": data, "models": [{"id": each["id"], "name": each["name"]} for each in data]}


async def model(ask: Ask, name: str) -> dict[str, Any]:
    """Its voices as wyoming_openai reads Speaches': by `name`, which it then speaks with."""
    card, known = await speakers(ask, name)
    if not card["served"]:
        message = f"`{card['id']}` is served by the image of group `{card['group']}`, not by this worker."
        raise Failure("model_not_in_this_worker", message, field="model")
    return model_object(name, card) | {"voices": [voice_object(each) | {"name": each.id} for each in known]}


async def voices(ask: Ask, name: str | None = None) -> dict[str, Any]:
    """Everyone who speaks with the model, or with the worker's default."""
    card, known = await speakers(ask, name)
    return {"model": card["id"], "voices": [voice_object(each) for each in known]}


def model_object(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    """`root` is what speaks where the name is an alias."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "worker-tts",
        "root": card["id"],
        "name": card["name"],
    }


def voice_object(voice: Speaker) -> dict[str, Any]:
    return {"id": voice.id, "name": voice.name, "language": voice.language}


def _sse(event: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(event)}\n\n"
