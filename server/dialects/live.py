"""Live speech in our own words: `WS /v1/audio/stream`, a superset of ElevenLabs' messages.

Text goes in piece by piece; audio comes out as soon as sentences are known. Several contexts share a socket.
"""

import base64
from typing import Any, Literal

from fastapi import APIRouter, WebSocket
from pydantic import Field

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from operations.inputs import Told
from operations.queue import plain
from server import keys
from server.live import Conversation
from server.sockets import POLICY, messages

router = APIRouter(tags=["live"])

IDLE_SECONDS = 180.0


class Message(Told):
    """What a client may send. The first message of a context says how it is spoken."""

    context_id: str = Field("", max_length=128)
    text: str = Field("", max_length=50_000)
    speak: dict[str, Any] = Field({}, description="Fields of speak, in a context's first message: model, voice, ...")
    flush: bool = Field(False, description="Speak what was written, complete or not.")
    cancel: bool = Field(False, description="Silence, and forget what was written.")
    close_context: bool = Field(False, description="No more text: speak to the end.")
    close_socket: bool = Field(False, description="No more text anywhere: speak to the end and hang up.")
    xi_api_key: str = ""
    audio: Literal["base64", "binary"] | None = Field(None, description="How sound is sent; for the whole socket.")


class Teller:
    """Events as messages."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.binary = False

    async def tell(self, context: str, event: Event) -> None:
        assert self.conversation is not None
        message = told(context, event)
        if isinstance(event, Audio) and self.binary:
            del message["audio"]
            await self.conversation.send(message | {"bytes": len(event.data)})
            await self.conversation.send_bytes(event.data)
            return
        await self.conversation.send(message)


def told(context: str, event: Event) -> dict[str, Any]:
    about: dict[str, Any] = {"contextId": context}
    match event:
        case Audio():
            sound = base64.b64encode(event.data).decode()
            times = {"seq": event.seq, "start": event.start, "duration": event.duration, "text": event.text}
            return about | {"event": "audio", "audio": sound, **times, "words": plain(event.words)}
        case Started():
            return about | {
                "event": "started",
                "model": event.model,
                "voice": event.voice,
                "format": event.format,
                "sample_rate": event.sample_rate,
            }
        case Done():
            return about | {"event": "done", "isFinal": True, "answer": plain(event.answer)}
        case Failed():
            return about | {"event": "error", "isFinal": True, **event.error.as_dict()}
        case _:
            return about | {"event": "progress"}


@router.websocket("/v1/audio/stream")
async def stream(socket: WebSocket) -> None:
    await socket.accept()
    teller = Teller()
    conversation = teller.conversation = Conversation(socket, teller.tell, IDLE_SECONDS)
    allowed = False
    try:
        async for raw in messages(socket):
            message = Message.model_validate(raw)
            if not allowed:
                keys.admitted(socket, message.xi_api_key)
                allowed = True
            teller.binary = teller.binary if message.audio is None else message.audio == "binary"
            await obeyed(conversation, message)
            if message.close_socket:
                await conversation.finish()
                await socket.close()
                return
    except Failure as failure:
        await conversation.send({"event": "error", "isFinal": True, **failure.as_dict()})
        await socket.close(POLICY)
    finally:
        await conversation.close()


async def obeyed(conversation: Conversation, message: Message) -> None:
    context = message.context_id
    if message.cancel:
        await conversation.cancel(context)
        await conversation.send({"contextId": context, "event": "cancelled", "isFinal": True})
        return
    if message.text and context not in conversation:
        conversation.open(context, message.speak)
    elif message.speak:
        if context in conversation:
            raise Failure("invalid_input", "`speak` belongs into the first message of a context.", field="speak")
        conversation.open(context, message.speak)
    if message.text or message.flush:
        await conversation.write(context, message.text, flush=message.flush)
    if message.close_context:
        conversation.end(context)
