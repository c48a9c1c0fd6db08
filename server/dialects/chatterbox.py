"""The dialect of a small Chatterbox server: speech, and the voices it clones, named as if each were a file `x.pth`.

No such file is made: a voice is one of the library's, and the model is the one here that clones.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Request, UploadFile, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from basics.errors import Failure
from basics.events import Audio, Failed
from operations.voice_inputs import id_of
from server import keys
from server.asking import answered, executor_of, job_of, streamed
from server.cloning import cloning, everyone
from server.live import messages
from server.replies import complaint, shaped, sound
from server.sockets import POLICY, Message, part, tell
from server.uploads import recording

SUFFIX = ".pth"
FILES = (SUFFIX, ".pt", ".safetensors")


class ErrorBody(BaseModel):
    detail: str


def error(failure: Failure) -> Response:
    hint = f" {failure.hint}" if failure.hint else ""
    return complaint(failure, {"detail": failure.message + hint})


router = APIRouter(
    tags=["Chatterbox"],
    route_class=shaped(error),
    dependencies=[Depends(keys.checked)],
    responses={
        "4XX": {"model": ErrorBody, "description": "What is wrong with the request, or 429: too much at once"},
        "5XX": {"model": ErrorBody, "description": "What keeps the worker from it"},
    },
)
sockets = APIRouter(tags=["Chatterbox"])


class SpeechRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=100_000)
    voice_id: str | None = Field(None, max_length=128, description="With or without `.pth`; else the model's default.")


class Made(BaseModel):
    voice_id: str
    message: str


class Said(BaseModel):
    message: str


@router.post(
    "/tts/generate",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}}},
    summary="Speech as a WAV, sent while it is made",
)
async def generate(request: Request, asked: SpeechRequest) -> Response:
    try:
        return sound(await streamed(request, speech(asked, await cloning(request))))
    except Failure as failure:
        raise theirs(failure, asked.voice_id) from None


@router.post("/voices", status_code=201, summary="A voice from a recording, called as the file is")
async def create(request: Request, file: Annotated[UploadFile, File()]) -> Made:
    name = PurePath((file.filename or "").replace("\\", "/")).name
    stem, suffix = PurePath(name).stem, PurePath(name).suffix.lower()
    if suffix in FILES:
        raise Failure(
            "not_supported",
            f"`{suffix}` files are not taken over HTTP.",
            field="file",
            hint="Send the recording itself, or put the file into VOICES, where it is noticed.",
        )
    id = id_of(stem)
    if not id:
        raise Failure("invalid_input", "`file` needs a name with a Latin letter or digit in it.", field="file")
    async with recording(request, file, "file") as reference:
        asked = {"op": "voices.create", "id": id, "name": stem[:200], "reference": reference}
        try:
            await answered(request, asked)
        except Failure as failure:
            raise theirs(failure, id) from None
    return Made(voice_id=f"{id}{SUFFIX}", message=f"Voice '{id}' created.")


@router.get("/voices", summary="Your voices")
async def listed(request: Request) -> list[str]:
    return [f"{record['id']}{SUFFIX}" for record in await everyone(request, {})]


@router.delete("/voices/{voice_id}", summary="Forget a voice")
async def delete(request: Request, voice_id: str) -> Said:
    try:
        await answered(request, {"op": "voices.delete", "id": bare(voice_id)})
    except Failure as failure:
        raise theirs(failure, voice_id) from None
    return Said(message=f"Voice '{bare(voice_id)}' deleted.")


@sockets.websocket("/tts/stream")
async def stream(socket: WebSocket) -> None:
    """Each object is answered by the pieces of a WAV as bytes, and `{"event": "done"}` when it is whole."""
    await socket.accept()
    try:
        keys.admitted(socket)
        async for raw in messages(socket):
            asked = parsed(raw)
            if not await tell(socket, spoken(socket, asked)):
                return
    except Failure as failure:
        await socket.send_json({"detail": failure.message})
        await part(socket, POLICY)


async def spoken(socket: WebSocket, asked: SpeechRequest) -> AsyncGenerator[Message, None]:
    job = job_of(speech(asked, None) | {"delivery": "stream"})
    async with aclosing(executor_of(socket).perform(job)) as events:
        async for event in events:
            if isinstance(event, Audio):
                yield event.data
            elif isinstance(event, Failed):
                yield {"detail": theirs(event.error, asked.voice_id).message}
                return
    yield {"event": "done"}


def speech(asked: SpeechRequest, model: str | None) -> dict[str, Any]:
    input: dict[str, Any] = {"text": asked.text, "format": "wav"}
    if asked.voice_id:
        input["voice"] = f"library:{bare(asked.voice_id)}" if asked.voice_id.endswith(SUFFIX) else asked.voice_id
    return input | ({"model": model} if model else {})


def bare(id: str) -> str:
    return id.removesuffix(SUFFIX)


def theirs(failure: Failure, voice: str | None) -> Failure:
    """A voice that is not there, or there already, in their words."""
    if failure.code not in ("unknown_voice", "voice_exists") or not voice:
        return failure
    said = "not found" if failure.code == "unknown_voice" else "exists already"
    return Failure(failure.code, f"Voice '{bare(voice)}' {said}.", field="voice_id")


def parsed(raw: dict[str, Any]) -> SpeechRequest:
    try:
        return SpeechRequest.model_validate(raw)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise Failure("invalid_input", f"`{field}`: {first['msg']}.", field=field) from None
