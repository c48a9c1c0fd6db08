"""The dialect of small XTTS servers: a recording and a text in one form, and what SillyTavern's XTTS provider calls.

Its settings are the server's and not a request's, as in the original: the last ones that were set count for all.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.responses import Response

from operations.inputs import Told
from operations.roll import speakers
from server import keys
from server.asking import answered, ask_of, streamed
from server.cloning import cloning, cloning_or_refused
from server.replies import Detail, detailed, faults, file, shaped, sound
from server.uploads import recording

RATE = 16_000
KNOBS = ("temperature", "length_penalty", "repetition_penalty", "top_k", "top_p")
"""Of XTTS itself. Other models have some under the same names, with other meanings and other good values."""
THEIRS = "xtts-v2"

router = APIRouter(
    tags=["XTTS"], route_class=shaped(detailed), dependencies=[Depends(keys.checked)], responses=faults(Detail)
)
WAV: dict[int | str, dict[str, Any]] = {200: {"description": "A WAV", "content": {"audio/wav": {}}}}


@dataclass(frozen=True, slots=True)
class Manner:
    """What was set last."""

    speed: float = 1.0
    params: dict[str, Any] = field(default_factory=dict)


class Line(Told):
    text: str = Field(min_length=1, max_length=100_000)
    speaker_wav: str = Field(min_length=1, max_length=128, description="A voice, as `/speakers` names it.")
    language: str = Field("", max_length=35, description="A code; the voice's where it is left out.")

    def as_input(self, model: str | None, manner: Manner) -> dict[str, Any]:
        input: dict[str, Any] = {"text": self.text, "voice": self.speaker_wav.removesuffix(".wav"), "format": "wav"}
        input |= {"model": model} if model else {}
        input |= {"language": self.language} if self.language else {}
        input |= {"params": manner.params} if manner.params else {}
        return input | {"speed": manner.speed}


class AddressedLine(Line):
    text: str = Field(min_length=1, max_length=5_000, description="More does not fit into an address.")


class Settings(Told):
    """Browsers send them as text once somebody has moved a slider."""

    speed: float = Field(ge=0.5, le=2, description="The original has 0.2 to 2.")
    temperature: float = Field(ge=0.01, le=1)
    length_penalty: float
    repetition_penalty: float = Field(ge=0.1, le=10)
    top_p: float = Field(ge=0.01, le=1)
    top_k: int = Field(ge=1, le=100)
    enable_text_splitting: bool = Field(description="Not applied: text is always spoken in lines.")
    stream_chunk_size: int = Field(ge=20, le=400, description="Not applied: sound is sent as it comes.")


class Applied(BaseModel):
    message: str
    not_applied: list[str]


class Voice(BaseModel):
    name: str
    voice_id: str
    preview_url: str | None
    """Where the recording is heard, of voices that have one."""


class Languages(BaseModel):
    languages: dict[str, str]


@router.post("/synthesize", response_class=Response, responses=WAV, summary="Speech in the voice of a recording")
async def synthesize(
    request: Request,
    text: Annotated[str, Form(min_length=1, max_length=100_000)],
    speaker_audio: Annotated[UploadFile, File()],
    language: Annotated[str, Form(max_length=35)] = "",
) -> Response:
    """16 kHz, mono."""
    input: dict[str, Any] = {"text": text, "model": await cloning_or_refused(request), "format": "wav"}
    input |= {"language": language} if language else {}
    async with recording(request, speaker_audio, "speaker_audio") as reference:
        voice = {"reference": reference}
        return file(await answered(request, input | {"voice": voice, "sample_rate": RATE, "delivery": "inline"}))


@router.post("/tts_to_audio", response_class=Response, responses=WAV, summary="Speech as a whole file")
async def tts_to_audio(request: Request, asked: Line) -> Response:
    input = asked.as_input(await cloning(request), manner_of(request))
    return file(await answered(request, input | {"delivery": "inline"}))


@router.get("/tts_stream", response_class=Response, responses=WAV, summary="Speech, sent while it is made")
async def tts_stream(request: Request, asked: Annotated[AddressedLine, Query()]) -> Response:
    return sound(await streamed(request, asked.as_input(await cloning(request), manner_of(request))))


@router.get("/speakers", summary="Who speaks")
async def all_speakers(request: Request) -> list[Voice]:
    """SillyTavern finds a voice by its name alone, so that the name is the id."""
    known = (await speakers(ask_of(request), await cloning(request)))[1]
    base = str(request.base_url).rstrip("/")
    return [
        Voice(
            name=each.id,
            voice_id=each.id,
            preview_url=f"{base}/api/voices/{each.recording}/audio" if each.recording else None,
        )
        for each in known
    ]


@router.get("/languages", summary="What they speak, by the languages' English names")
async def languages(request: Request) -> Languages:
    model = await cloning(request)
    card = await ask_of(request)({"op": "models.get"} | ({"model": model} if model else {}))
    return Languages(languages={NAMES.get(code, code): code for code in card["languages"]})


@router.post("/set_tts_settings", summary="How the next lines are spoken, whoever asks for them")
async def set_tts_settings(request: Request, asked: Settings) -> Applied:
    knobs = await known_knobs(request)
    given = asked.model_dump()
    request.app.state.xtts = Manner(asked.speed, {name: given[name] for name in knobs})
    left = [name for name in given if name not in ("speed", *knobs)]
    return Applied(message="Set for all lines to come.", not_applied=left)


async def known_knobs(request: Request) -> list[str]:
    if await cloning(request) != THEIRS:
        return []
    schema = (await ask_of(request)({"op": "models.get", "model": THEIRS}))["options_schema"] or {}
    return [name for name in KNOBS if name in schema.get("properties", {})]


def manner_of(request: Request) -> Manner:
    manner: Manner = getattr(request.app.state, "xtts", Manner())
    return manner


NAMES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "en-gb": "British English",
    "en-us": "American English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-br": "Brazilian Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "sw": "Swahili",
    "tr": "Turkish",
    "zh": "Chinese",
}
"""Of all languages on our cards. Others are told by their code."""
