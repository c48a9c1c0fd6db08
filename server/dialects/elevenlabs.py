"""ElevenLabs' speech API over HTTP. What their bodies and objects mean is in `operations/elevenlabs`.

Their `/v1/models` is OpenAI's here: one route has one shape.
"""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from basics.errors import Failure
from operations import elevenlabs
from operations.elevenlabs import SpeechRequest, Spoken
from operations.roll import Speaker, speakers
from server import keys
from server.asking import Talk, answered, ask_of, streamed
from server.heard import Heard
from server.replies import Streamed, complaint, faults, file, shaped, sound, speaks, spoke


class Detail(BaseModel):
    status: str
    message: str


class ErrorBody(BaseModel):
    detail: Detail


class Alignment(BaseModel):
    characters: list[str]
    character_start_times_seconds: list[float]
    character_end_times_seconds: list[float]


class WithTimestamps(BaseModel):
    audio_base64: str
    alignment: Alignment | None
    normalized_alignment: Alignment | None


class Voice(BaseModel):
    voice_id: str
    name: str
    category: str
    description: str | None
    preview_url: str | None
    labels: dict[str, str]


class Voices(BaseModel):
    voices: list[Voice]


def error(failure: Failure) -> Response:
    answer = complaint(failure, elevenlabs.error_body(failure))
    answer.status_code = elevenlabs.status(failure)
    return answer


router = APIRouter(
    tags=["ElevenLabs"],
    route_class=shaped(error),
    dependencies=[Depends(keys.checked)],
    responses=faults(ErrorBody),
)
SPOKEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Sound in the format asked for",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("audio/mpeg", "audio/ogg", "audio/wav", "audio/pcm", "audio/basic", "audio/x-alaw-basic")
        },
    }
}
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON objects, one a line, as they come",
        "content": {"application/json": {"schema": {"type": "string"}}},
    }
}
Format = Annotated[str | None, Query(description="`codec_rate_bitrate`, such as mp3_44100_128, pcm_24000, ulaw_8000.")]
Logging = Annotated[bool, Query(description="Refused where false.")]
Hurry = Annotated[int | None, Query(description="Not applied, and said so.")]


class Order:
    """What the path, the query and the body ask for together."""

    def __init__(
        self,
        voice_id: str,
        asked: SpeechRequest,
        output_format: Format = None,
        enable_logging: Logging = True,
        optimize_streaming_latency: Hurry = None,
    ) -> None:
        if not enable_logging:
            message = "`enable_logging=false` cannot be had; KEEP_TEXT=0 keeps text out of the history for all."
            raise Failure("not_supported", message, field="enable_logging")
        self.input = asked.as_input(voice_id, output_format)
        hurried = ("optimize_streaming_latency",) if optimize_streaming_latency is not None else ()
        names = (*asked.unapplied(), *hurried)
        self.headers = {"X-Not-Applied": ", ".join(names)} if names else {}


Ordered = Annotated[Order, Depends()]


@router.post(
    "/v1/text-to-speech/{voice_id}", response_class=Response, responses=SPOKEN, summary="Text to speech, a whole file"
)
async def convert(request: Request, order: Ordered) -> Response:
    return file(await answered(request, order.input | {"delivery": "inline"}), order.headers)


@router.post(
    "/v1/text-to-speech/{voice_id}/stream",
    response_class=Response,
    responses=SPOKEN,
    summary="Text to speech, a stream",
)
async def stream(request: Request, order: Ordered) -> Response:
    return sound(await streamed(request, order.input), order.headers)


@router.post(
    "/v1/text-to-speech/{voice_id}/with-timestamps",
    response_model=WithTimestamps,
    summary="A file, and when what is said",
)
async def convert_with_timestamps(request: Request, order: Ordered) -> Response:
    done = await answered(request, order.input | {"delivery": "inline"})
    said = spoke(str(done.answer["model"]), str(done.answer["voice"]), done.answer["audio"]["sample_rate"])
    heard = elevenlabs.alignment(elevenlabs.spoken(done.answer["segments"]))
    return JSONResponse(timed(done.data or b"", heard), headers=said | order.headers)


@router.post(
    "/v1/text-to-speech/{voice_id}/stream/with-timestamps",
    response_class=Response,
    responses=LINES,
    summary="A stream, and when what is said",
)
async def stream_with_timestamps(request: Request, order: Ordered) -> Response:
    talk = await streamed(request, order.input)
    return Streamed(lines(talk), "application/json", speaks(talk) | order.headers)


async def lines(talk: Talk) -> AsyncGenerator[bytes, None]:
    """When a stretch of text was said is known once the next begins: it comes with the sound of that."""
    heard = Heard()
    async with aclosing(talk.sounds()) as sounds:
        async for piece in sounds:
            yield _line(timed(piece.data, alignment(heard.hear(piece))))
    if rest := heard.rest():
        yield _line(timed(b"", alignment(rest)))


def alignment(stretch: Spoken | None) -> dict[str, list[Any]] | None:
    return elevenlabs.alignment([stretch] if stretch else [])


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def timed(data: bytes, heard: dict[str, list[Any]] | None) -> dict[str, Any]:
    """What the model made of numbers and abbreviations is not known, so there is no other alignment."""
    return {"audio_base64": base64.b64encode(data).decode(), "alignment": heard, "normalized_alignment": None}


@router.get("/v1/voices", response_model=Voices, summary="Who speaks with the default model")
async def voices(request: Request) -> dict[str, Any]:
    return {"voices": [voice_object(each) for each in (await speakers(ask_of(request)))[1]]}


@router.get("/v1/voices/{voice_id}", response_model=Voice, summary="One voice")
async def voice(request: Request, voice_id: str) -> dict[str, Any]:
    card, known = await speakers(ask_of(request))
    found = next((each for each in known if each.id == voice_id), None)
    if found is None:
        raise Failure("unknown_voice", f"{card['id']} has no voice `{voice_id[:64]}`.", field="voice")
    return voice_object(found)


def voice_object(voice: Speaker) -> dict[str, Any]:
    labels = {"language": voice.language, "gender": voice.gender}
    return {
        "voice_id": voice.id,
        "name": voice.name,
        "category": "cloned" if voice.own else "premade",
        "description": voice.description or None,
        "preview_url": None,
        "labels": {name: value for name, value in labels.items() if value},
    }
