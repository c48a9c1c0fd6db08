"""OpenAI's speech API."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from basics.errors import Failure
from server import keys
from server.asking import streamed
from server.replies import complaint, shaped, sound


def error(failure: Failure) -> Response:
    kind = "invalid_request_error" if failure.status < 500 else "server_error"
    body = {"message": failure.message, "type": kind, "param": failure.field, "code": failure.code}
    return complaint(failure, {"error": body})


class SpeechRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: str
    model: str
    voice: str
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0


router = APIRouter(tags=["OpenAI"], route_class=shaped(error), dependencies=[Depends(keys.checked)])


@router.post("/v1/audio/speech", response_class=Response)
async def speech(request: Request, asked: SpeechRequest) -> Response:
    input: dict[str, Any] = {"text": asked.input, "model": asked.model, "voice": asked.voice}
    return sound(await streamed(request, input | {"format": asked.response_format, "speed": asked.speed}))
