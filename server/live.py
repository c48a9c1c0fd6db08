"""Live speech on a socket: contexts, each one utterance after the other; text goes in while sound comes out.

Knows no dialect: whoever opens a conversation says what messages mean and how events are told.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketState

from basics.errors import Failure
from basics.events import Done, Event, Failed, Started
from operations.job import Piece
from server.asking import executor_of, job_of
from server.replies import STALL_SECONDS
from server.sockets import GONE, POLICY, part

log = logging.getLogger("worker.server")

MOST_CONTEXTS = 16
WAITING_CHARS = 200_000
"""Of text in one context that no voice has taken yet. Above it the socket is not read: its writer has to wait."""
MESSAGE_CHARS = 100
"""What a message weighs beside its text: empty ones are held back too."""

Tell = Callable[[str, Event], Awaitable[None]]
"""Sends one event of a context to the client."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An utterance begins, and is to be spoken so."""

    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """It has no more text."""


Item = Opening | Piece | End


class Context:
    """What is written into a context, utterance by utterance, and read by its voice."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._chars = 0
        self._room = asyncio.Event()
        self.written = False
        """Whether an utterance is open for more text."""
        self.spoken = False
        """Whether an utterance is being spoken."""
        self.failed = False
        """Whether that utterance failed: its client was told, and what still comes of it is not spoken."""

    @property
    def done(self) -> bool:
        return not self.written and not self.spoken and self._items.empty()

    async def put(self, item: Item) -> None:
        while self._chars > WAITING_CHARS:
            self._room.clear()
            await self._room.wait()
        self.written = not isinstance(item, End)
        self._chars += _weight(item)
        self._items.put_nowait(item)

    async def utterances(self) -> AsyncGenerator[tuple[Mapping[str, Any], AsyncGenerator[Piece, None]], None]:
        """One after the other, until the last that was begun has ended. What is left of one that was given up is
        passed over."""
        while self.written or not self._items.empty():
            if isinstance(item := await self._take(), Opening):
                self.failed = False
                yield item.input, self._pieces()

    async def _pieces(self) -> AsyncGenerator[Piece, None]:
        while isinstance(item := await self._take(), Piece):
            yield item

    async def _take(self) -> Item:
        """When nothing is written for so long, then what was written is all."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                item = await self._items.get()
        except TimeoutError:
            self.written = False
            return End()
        self._chars -= _weight(item)
        self._room.set()
        return item


class Gone(Exception):
    """The client hung up, or takes nothing for too long."""


class Conversation:
    """All contexts of one socket."""

    def __init__(self, socket: WebSocket, tell: Tell, idle_seconds: float) -> None:
        self._socket = socket
        self._tell = tell
        self.idle_seconds = idle_seconds
        """After which a context in which nothing is written ends by itself."""
        self._contexts: dict[str, tuple[Context, asyncio.Task[None]]] = {}
        self._sending, self._cancelling = asyncio.Lock(), asyncio.Lock()
        self._leaving: asyncio.Task[None] | None = None
        self._let_in = False

    def listens(self, context: str) -> bool:
        """Whether an utterance is open there for more text, even if it failed."""
        return context in self._contexts and self._contexts[context][0].written

    def failed(self, context: str) -> bool:
        return context in self._contexts and self._contexts[context][0].failed

    async def begin(self, name: str, input: Mapping[str, Any]) -> None:
        """An utterance, after those that are still spoken there. One context too many is told that it is."""
        if name in self._contexts:
            context = self._contexts[name][0]
            if context.written:
                await context.put(End())
            await context.put(Opening(input))
        elif sum(not each.done for each, _ in self._contexts.values()) >= MOST_CONTEXTS:
            message = f"A socket has at most {MOST_CONTEXTS} contexts at once; close one."
            await self._tell(name, Failed(Failure("busy", message)))
        else:
            context = Context(self.idle_seconds)
            await context.put(Opening(input))
            self._contexts[name] = context, asyncio.create_task(self._speak(name, context))

    async def write(self, context: str, text: str, *, flush: bool = False) -> None:
        """Empty text keeps it from ending for want of any."""
        if self.listens(context):
            await self._put(context, Piece(text, flush))

    async def end(self, context: str) -> None:
        """No more text; what was written is spoken to its end."""
        if self.listens(context):
            await self._put(context, End())

    async def cancel(self, context: str, told: Mapping[str, Any]) -> None:
        """Silence, now, and a message that says so; what is written there next is a new beginning. Idempotent."""
        async with self._cancelling:
            await self._silence(context)
            await self.send(told)

    @property
    def leaving(self) -> bool:
        return self._leaving is not None

    def leave(self) -> None:
        """Every context is spoken to its end; then the socket is closed. Meanwhile it is to be read on."""
        self._leaving = self._leaving or asyncio.create_task(self._leave())

    async def hang_up(self, why: str) -> None:
        await part(self._socket, POLICY, why)

    async def close(self) -> None:
        """Everybody is silent, and nothing of it is left."""
        if self._leaving is not None:
            self._leaving.cancel()
            await asyncio.gather(self._leaving, return_exceptions=True)
        await asyncio.gather(*(self._silence(context) for context in list(self._contexts)))

    async def send(self, message: Mapping[str, Any], data: bytes | None = None) -> None:
        """A message, and the bytes it announces: nothing comes between the two. Raises Gone."""
        sending = asyncio.ensure_future(self._send(message, data))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    async def _send(self, message: Mapping[str, Any], data: bytes | None) -> None:
        try:
            async with self._sending, asyncio.timeout(STALL_SECONDS):
                if self._socket.application_state is WebSocketState.CONNECTED:
                    await self._socket.send_text(json.dumps(message, separators=(",", ":")))
                    if data is not None:
                        await self._socket.send_bytes(data)
        except GONE as gone:
            raise Gone(type(gone).__name__) from None

    async def _silence(self, context: str) -> None:
        if (found := self._contexts.pop(context, None)) is not None:
            found[1].cancel()
            await asyncio.gather(found[1], return_exceptions=True)

    async def _leave(self) -> None:
        for context in list(self._contexts):
            await self.end(context)
        await asyncio.gather(*(task for _, task in self._contexts.values()), return_exceptions=True)
        async with self._cancelling:
            await part(self._socket)

    async def _put(self, context: str, item: Item) -> None:
        await self._contexts[context][0].put(item)

    async def _speak(self, name: str, context: Context) -> None:
        try:
            async for input, written in context.utterances():
                await self._utter(name, context, input, written)
        except Gone as gone:
            log.info("client_gone", extra={"why": str(gone)})
            await self.hang_up("timed_out")
        finally:
            if self._contexts.get(name, (None,))[0] is context:
                del self._contexts[name]

    async def _utter(
        self, name: str, context: Context, input: Mapping[str, Any], written: AsyncGenerator[Piece, None]
    ) -> None:
        goes_on = self._let_in and not any(each.spoken for each, _ in self._contexts.values())
        job = job_of(input, written=written, goes_on=goes_on)
        context.spoken = True
        try:
            async with aclosing(executor_of(self._socket).perform(job)) as events:
                async for event in events:
                    self._let_in = self._let_in or isinstance(event, Started)
                    context.spoken = not isinstance(event, Done | Failed)
                    context.failed = isinstance(event, Failed)
                    await self._tell(name, event)
        except Failure as failure:
            context.spoken, context.failed = False, True
            await self._tell(name, Failed(failure))


def _weight(item: Item) -> int:
    return MESSAGE_CHARS + (len(item.text) if isinstance(item, Piece) else 0)
