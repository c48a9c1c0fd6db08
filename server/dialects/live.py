"""Live speech in our own words: `WS /v1/audio/stream`, a superset of ElevenLabs' messages.

Text goes in piece by piece; sound comes out as soon as the model can speak it. Several contexts share a socket; each
speaks one utterance after the other.
"""

import base64
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter, WebSocket
from pydantic import Field

from basics.errors import Failure, printable
from basics.events import Audio, Done, Event, Failed, Started
from operations.elevenlabs import SpeechRequest
from operations.queue import plain
from server import keys
from server.dialects import elevenlabs_live
from server.heard import Heard, words
from server.live import Conversation, Gone
from server.sockets import POLICY, messages, part

router = APIRouter(tags=["live"])

IDLE_SECONDS = 180.0


class Message(elevenlabs_live.Message):
    """What a client may send: ElevenLabs' messages and more. The first of an utterance says how it is spoken, else the
    socket's first does."""

    speak: dict[str, Any] = Field({}, description="Fields of speak, in an utterance's first message: model, voice, ...")
    cancel: bool = Field(False, description="Silence, and forget what was written. Other fields are not looked at.")
    audio: Literal["base64", "binary"] | None = Field(None, description="How sound is sent; for the whole socket.")

    @property
    def manner(self) -> dict[str, Any]:
        """Theirs may say how fast; what else is in it is obeyed or refused as at their own sockets."""
        theirs = SpeechRequest(
            text="",
            voice_settings=self.voice_settings,
            pronunciation_dictionary_locators=self.pronunciation_dictionary_locators,
        ).as_input("")
        return ({"speed": theirs["speed"]} if "speed" in theirs else {}) | self.speak


class Teller:
    """Events as messages."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.binary = False
        self.heard: defaultdict[str, Heard] = defaultdict(Heard)

    async def tell(self, context: str, event: Event) -> None:
        assert self.conversation is not None
        message = {"contextId": context} | self._told(context, event)
        if isinstance(event, Audio) and self.binary:
            await self.conversation.send(message | {"bytes": len(event.data)}, event.data)
        else:
            await self.conversation.send(message)

    def _told(self, context: str, event: Event) -> dict[str, Any]:
        match event:
            case Started(model=model, voice=voice, format=format, sample_rate=rate):
                return {"event": "started", "model": model, "voice": voice, "format": format, "sample_rate": rate}
            case Audio():
                stretch = self.heard[context].hear(event)
                sound = {} if self.binary else {"audio": base64.b64encode(event.data).decode()}
                times = {"seq": event.seq, "start": event.start, "duration": event.duration}
                said = {"text": printable(event.text), "words": plain(event.words or words(stretch))}
                return {"event": "audio"} | sound | times | said
            case Done():
                rest = plain(words(self.heard.pop(context, Heard()).rest()))
                return {"event": "done", "isFinal": True, "words": rest, "answer": plain(event.answer)}
            case Failed():
                self.heard.pop(context, None)
                return {"event": "error", "isFinal": True, **event.error.as_dict()}
            case _:
                return {"event": "progress"}


@router.websocket("/v1/audio/stream")
async def stream(socket: WebSocket) -> None:
    await socket.accept()
    teller = Teller()
    conversation = teller.conversation = Conversation(socket, teller.tell, IDLE_SECONDS)
    try:
        await conversed(socket, conversation, teller)
    except Gone:
        await part(socket, POLICY)
    except Failure as failure:
        with suppress(Gone):
            await conversation.send({"event": "error", "isFinal": True, **failure.as_dict()})
        await part(socket, POLICY, failure.code)
    finally:
        await conversation.close()


async def conversed(socket: WebSocket, conversation: Conversation, teller: Teller) -> None:
    allowed, manner = False, dict[str, Any]()
    async for raw in messages(socket):
        message = Message.model_validate(raw)
        if not allowed:
            keys.admitted(socket, message.key)
            allowed = True
        teller.binary = teller.binary if message.audio is None else message.audio == "binary"
        manner = manner or message.manner
        if message.cancel:
            context = message.context_id or ""
            await conversation.cancel(context, {"contextId": context, "event": "cancelled", "isFinal": True})
            teller.heard.pop(context, None)
        elif conversation.leaving:
            raise Failure("invalid_input", "Nothing may follow `close_socket` but `cancel`.", field="close_socket")
        else:
            await obeyed(conversation, message, manner)
        if message.close_socket:
            conversation.leave()


async def obeyed(conversation: Conversation, message: Message, manner: Mapping[str, Any]) -> None:
    """`manner`: how a context speaks that does not say so."""
    context = message.context_id or ""
    listens = conversation.listens(context)
    if message.speak and listens and not conversation.failed(context):
        raise Failure("invalid_input", "`speak` belongs into the first message of an utterance.", field="speak")
    if message.speak or (message.text and not listens):
        await conversation.begin(context, message.manner or manner)
    await conversation.write(context, message.text or "", flush=bool(message.flush))
    if message.close_context:
        await conversation.end(context)
