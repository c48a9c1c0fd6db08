"""ElevenLabs' sockets: text piece by piece into one context, or into several on one socket.

What their bodies mean is in `operations/elevenlabs`. Their schedules for when to speak have no counterpart: a
model speaks as soon as it can. A context that is closed is spoken to its end, as theirs are.
"""

import base64
from collections import defaultdict
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import Field

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed
from operations import elevenlabs
from operations.elevenlabs import Spoken, VoiceSettings
from operations.inputs import Told
from server import keys
from server.heard import Heard
from server.live import Conversation, Gone
from server.sockets import POLICY, messages, part

router = APIRouter(tags=["ElevenLabs"])

ALONE = ""
"""The one context of a socket that has no names for them."""
MOST_IDLE_SECONDS = 180.0


class Message(Told):
    text: str | None = Field(None, max_length=50_000)
    context_id: str | None = Field(None, max_length=128)
    voice_settings: VoiceSettings | None = None
    generation_config: dict[str, Any] | None = Field(None, description="Not applied.")
    pronunciation_dictionary_locators: list[Any] | None = Field(None, description="Refused where there are any.")
    try_trigger_generation: bool | None = Field(None, description="Not applied.")
    flush: bool | None = None
    close_context: bool | None = None
    close_socket: bool | None = None
    xi_api_key: str | None = None
    xi_api_key_header: str | None = Field(None, alias="xi-api-key")
    authorization: str | None = None

    @property
    def key(self) -> str:
        return self.xi_api_key or self.xi_api_key_header or self.authorization or ""


class Manner(Told):
    """How a socket speaks, by its address."""

    voice_id: str
    model_id: str | None = None
    language_code: str | None = None
    output_format: str | None = None
    seed: int | None = None
    apply_text_normalization: str | None = None
    apply_language_text_normalization: bool | None = None
    enable_logging: bool = Field(True, description="Refused where false.")
    enable_ssml_parsing: bool = Field(False, description="Refused where true.")
    inactivity_timeout: float = Field(20.0, ge=1, le=MOST_IDLE_SECONDS)
    sync_alignment: bool = Field(
        False, description="Times count from the context's beginning, not from each message's."
    )
    auto_mode: bool = Field(False, description="Not applied: it is always so.")
    optimize_streaming_latency: int | None = Field(None, description="Not applied.")

    def input(self, first: Message) -> dict[str, Any]:
        """What `speak` is asked, less the text. `first` is a context's first message."""
        for name, refused in (
            ("enable_ssml_parsing", self.enable_ssml_parsing),
            ("enable_logging", not self.enable_logging),
        ):
            if refused:
                raise Failure("not_supported", f"`{name}` cannot be had as asked; leave it out.", field=name)
        shaped = elevenlabs.SpeechRequest(
            text="",
            model_id=self.model_id,
            language_code=self.language_code,
            seed=self.seed,
            apply_text_normalization=self.apply_text_normalization,
            apply_language_text_normalization=self.apply_language_text_normalization,
            voice_settings=first.voice_settings,
            pronunciation_dictionary_locators=first.pronunciation_dictionary_locators,
        )
        input = shaped.as_input(self.voice_id, self.output_format)
        del input["text"]
        return input


class Teller:
    """Our events as their messages. When a stretch was said is known once the next begins."""

    def __init__(self, named: bool) -> None:
        self.conversation: Conversation | None = None
        self.counts_on = False
        """Whether times count from the context's beginning, instead of from each message's."""
        self._named = named
        self._heard: defaultdict[str, Heard] = defaultdict(Heard)

    async def tell(self, context: str, event: Event) -> None:
        assert self.conversation is not None
        match event:
            case Audio():
                stretch = self._heard[context].hear(event)
                await self.conversation.send(self._message(context, event.data, stretch))
            case Done():
                if stretch := self._heard.pop(context, Heard()).rest():
                    await self.conversation.send(self._message(context, b"", stretch))
                await self.conversation.send(self._about(context) | {"audio": None, "isFinal": True})
            case Failed():
                self._heard.pop(context, None)
                told = problem(event.error)
                await self.conversation.send(self._about(context) | told)
                if not self._named:
                    await self.conversation.hang_up(told["error"])

    def _message(self, context: str, data: bytes, stretch: Spoken | None) -> dict[str, Any]:
        times = None if stretch is None else aligned(stretch, 0.0 if self.counts_on else stretch.start)
        return self._about(context) | {
            "audio": base64.b64encode(data).decode(),
            "isFinal": None,
            "alignment": times,
            "normalizedAlignment": times,
        }

    def _about(self, context: str) -> dict[str, Any]:
        return {"contextId": context} if self._named else {}


def aligned(stretch: Spoken, since: float) -> dict[str, list[Any]] | None:
    """Theirs over a socket: milliseconds, and how long instead of until when."""
    heard = elevenlabs.alignment([Spoken(stretch.text, stretch.start - since, stretch.end - since)])
    if heard is None:
        return None
    starts, ends = heard["character_start_times_seconds"], heard["character_end_times_seconds"]
    return {
        "chars": heard["characters"],
        "charStartTimesMs": [round(start * 1000) for start in starts],
        "charDurationsMs": [round((end - start) * 1000) for start, end in zip(starts, ends, strict=True)],
    }


def problem(failure: Failure) -> dict[str, Any]:
    detail = elevenlabs.error_body(failure)["detail"]
    return {"error": detail["status"], "message": detail["message"], "code": POLICY, "isFinal": True}


@router.websocket("/v1/text-to-speech/{voice_id}/stream-input")
async def stream_input(socket: WebSocket, voice_id: str) -> None:
    await conversed(socket, voice_id, named=False)


@router.websocket("/v1/text-to-speech/{voice_id}/multi-stream-input")
async def multi_stream_input(socket: WebSocket, voice_id: str) -> None:
    await conversed(socket, voice_id, named=True)


async def conversed(socket: WebSocket, voice_id: str, named: bool) -> None:
    await socket.accept()
    teller = Teller(named)
    conversation = teller.conversation = Conversation(socket, teller.tell, MOST_IDLE_SECONDS)
    try:
        manner = Manner.model_validate({**socket.query_params, "voice_id": voice_id})
        conversation.idle_seconds, teller.counts_on = manner.inactivity_timeout, manner.sync_alignment
        allowed = False
        async for raw in messages(socket):
            message = Message.model_validate(raw)
            if not allowed:
                keys.admitted(socket, message.key)
                allowed = True
            if not conversation.leaving and await obeyed(conversation, manner, message, named):
                conversation.leave()
    except Gone:
        await part(socket, POLICY)
    except Failure as failure:
        told = problem(failure)
        with suppress(Gone):
            await conversation.send(told)
        await part(socket, POLICY, told["error"])
    finally:
        await conversation.close()


async def obeyed(conversation: Conversation, manner: Manner, message: Message, named: bool) -> bool:
    """Whether it was the last message."""
    context = (message.context_id or "") if named else ALONE
    ends = message.text == "" and not named and not message.flush
    if message.text and (context or not named) and not conversation.listens(context):
        await conversation.begin(context, manner.input(message))
    await conversation.write(context, message.text or "", flush=bool(message.flush))
    if message.close_context:
        await conversation.end(context)
    return ends or bool(message.close_socket)
