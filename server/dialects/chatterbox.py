"""The dialect of a small Chatterbox server: speech, and the voices it clones, named as if each were a file `x.pth`.

A voice is one of the library's, made from a recording or from a real `.pth`; the model is the one here that clones.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Request, UploadFile, WebSocket
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response

from basics.errors import Failure
from basics.events import Audio, Failed
from operations.inputs import Told
from operations.roll import records
from operations.voice_inputs import id_of
from server import keys
from server.asking import answered, ask_of, executor_of, job_of, streamed
from server.cloning import cloning, cloning_or_refused
from server.replies import Detail, detailed, faults, shaped, sound
from server.sockets import Message, in_turn, refuse
from server.uploads import recording
from voices.dropped import CONDITIONALS
from voices.record import is_id

SUFFIX = ".pth"

router = APIRouter(
    tags=["Chatterbox"],
    route_class=shaped(detailed),
    dependencies=[Depends(keys.checked)],
    responses=faults(Detail),
)
sockets = APIRouter(tags=["Chatterbox"])


class SpeechRequest(Told):
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
    responses={200: {"description": "A WAV, sent while it is made", "content": {"audio/wav": {}}}},
    summary="Speech as a WAV, sent while it is made",
)
async def generate(request: Request, asked: SpeechRequest) -> Response:
    try:
        return sound(await streamed(request, await speech(request, asked)))
    except Failure as failure:
        raise theirs(failure, asked.voice_id) from None


@router.post("/voices", status_code=201, summary="A voice from a recording or a `.pth`, called as the file is")
async def create(request: Request, file: Annotated[UploadFile, File()]) -> Made:
    name = PurePath((file.filename or "").replace("\\", "/"))
    id = name.stem if is_id(name.stem) else id_of(name.stem)
    if not id:
        raise Failure("invalid_input", "`file` needs a name with a Latin letter or digit in it.", field="file")
    source = "conditionals" if name.suffix.lower().removeprefix(".") in CONDITIONALS else "reference"
    async with recording(request, file, "file") as given:
        try:
            await answered(request, {"op": "voices.create", "id": id, source: given})
        except Failure as failure:
            raise theirs(failure, id) from None
    return Made(voice_id=f"{id}{SUFFIX}", message=f"Voice '{id}' created.")


@router.get("/voices", summary="Your voices")
async def listed(request: Request) -> list[str]:
    return [f"{record['id']}{SUFFIX}" for record in await records(ask_of(request), {})]


@router.delete("/voices/{voice_id}", summary="Forget a voice")
async def delete(request: Request, voice_id: str) -> Said:
    try:
        await answered(request, {"op": "voices.delete", "id": own(voice_id)})
    except Failure as failure:
        raise theirs(failure, voice_id) from None
    return Said(message=f"Voice '{bare(voice_id)}' deleted.")


@sockets.websocket("/tts/stream")
async def stream(socket: WebSocket) -> None:
    """Each object is answered by the pieces of a WAV as bytes, and `{"event": "done"}` when it is whole."""
    await socket.accept()
    try:
        keys.admitted(socket)
        await in_turn(socket, partial(spoken, socket))
    except Failure as failure:
        await refuse(socket, told(failure))


async def spoken(socket: WebSocket, raw: dict[str, Any]) -> AsyncGenerator[Message, None]:
    try:
        asked = SpeechRequest.model_validate(raw)
        job = job_of(await speech(socket, asked) | {"delivery": "stream"})
    except Failure as failure:
        yield told(failure)
        return
    async with aclosing(executor_of(socket).perform(job)) as events:
        async for event in events:
            if isinstance(event, Audio):
                yield event.data
            elif isinstance(event, Failed):
                yield told(theirs(event.error, asked.voice_id))
                return
    yield {"event": "done"}


async def speech(connection: HTTPConnection, asked: SpeechRequest) -> dict[str, Any]:
    input: dict[str, Any] = {"text": asked.text, "format": "wav"}
    if asked.voice_id:
        return input | {"model": await cloning_or_refused(connection), "voice": f"library:{own(asked.voice_id)}"}
    model = await cloning(connection)
    return input | ({"model": model} if model else {})


def bare(voice_id: str) -> str:
    return voice_id.removesuffix(SUFFIX)


def own(voice_id: str) -> str:
    """The id in the library. Raises `unknown_voice` for what can be none."""
    if not is_id(id := bare(voice_id)):
        raise unknown(voice_id)
    return id


def unknown(voice_id: str) -> Failure:
    return Failure("unknown_voice", f"Voice '{bare(voice_id)[:64]}' not found.", field="voice_id")


def theirs(failure: Failure, voice_id: str | None) -> Failure:
    """A voice that is not there, or there already, in their words."""
    if voice_id and failure.code == "unknown_voice":
        return unknown(voice_id)
    if voice_id and failure.code == "voice_exists":
        return Failure("voice_exists", f"Voice '{bare(voice_id)}' exists already; delete it first.", field="voice_id")
    return failure


def told(failure: Failure) -> dict[str, str]:
    return {"detail": failure.message}
