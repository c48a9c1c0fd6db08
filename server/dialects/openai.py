"""OpenAI's speech API, with and without `/v1`. What their bodies and objects mean is in `operations/openai`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from basics.errors import Failure
from operations import openai
from operations.openai import SpeechRequest
from server import keys
from server.asking import Talk, answered, ask_of, streamed
from server.replies import Streamed, complaint, faults, file, shaped, sound, speaks


class Fault(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    error: Fault


class Named(BaseModel):
    id: str
    name: str


class Speaker(Named):
    language: str


class Model(Named):
    object: str
    created: int
    owned_by: str
    root: str


class ModelWithVoices(Model):
    voices: list[Speaker]


class Models(BaseModel):
    object: str
    data: list[Model]
    models: list[Named]


class Voices(BaseModel):
    model: str
    voices: list[Speaker]


def error(failure: Failure) -> Response:
    answer = complaint(failure, openai.error_body(failure))
    answer.status_code = openai.status(failure)
    # Their clients would repeat every 5xx; they ask this header first.
    answer.headers["x-should-retry"] = "true" if failure.retryable else "false"
    return answer


SPOKEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Sound as it is made, in the format asked for; or events for `stream_format: sse`",
        "content": {
            **{
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm")
            },
            "text/event-stream": {"schema": {"type": "string"}},
        },
    }
}

router = APIRouter(
    tags=["OpenAI"], route_class=shaped(error), dependencies=[Depends(keys.checked)], responses=faults(ErrorBody)
)
Asked = Annotated[str | None, Query(description="Whose voices; the default model's where it is left out.")]
Wanted = Annotated[str, Path(description="A model's id or alias.")]


@router.post("/v1/audio/speech", response_class=Response, responses=SPOKEN, summary="Text to speech")
@router.post("/audio/speech", response_class=Response, responses=SPOKEN, include_in_schema=False)
async def speech(request: Request, asked: SpeechRequest) -> Response:
    input = asked.as_input()
    if not asked.streams:
        return file(await answered(request, input | {"delivery": "inline"}))
    talk = await streamed(request, input)
    if asked.stream_format == "audio":
        return sound(talk)
    return Streamed(events(talk), "text/event-stream", speaks(talk) | {"Cache-Control": "no-cache"})


async def events(talk: Talk) -> AsyncGenerator[bytes, None]:
    """Ends with `speech.audio.done`, or with `error` and a broken body."""
    try:
        async with aclosing(talk.sounds()) as sounds:
            async for piece in sounds:
                yield openai.delta(piece.data).encode()
        yield openai.ended(talk.done.answer if talk.done else {}).encode()
    except Failure as failure:
        yield openai.broken(failure).encode()
        raise


@router.get("/v1/models", response_model=Models, summary="Models, by every name")
@router.get("/models", response_model=Models, include_in_schema=False)
@router.get("/v1/audio/models", response_model=Models, include_in_schema=False)
@router.get("/audio/models", response_model=Models, include_in_schema=False)
async def models(request: Request) -> dict[str, Any]:
    return await openai.models(ask_of(request))


@router.get("/v1/models/{model}", response_model=ModelWithVoices, summary="One model and its voices")
@router.get("/models/{model}", response_model=ModelWithVoices, include_in_schema=False)
async def model(request: Request, model: Wanted) -> dict[str, Any]:
    return await openai.model(ask_of(request), model)


@router.get("/v1/audio/voices", response_model=Voices, summary="Who speaks with a model")
@router.get("/audio/voices", response_model=Voices, include_in_schema=False)
async def voices(request: Request, model: Asked = None) -> dict[str, Any]:
    return await openai.voices(ask_of(request), model)
