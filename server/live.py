"""Live speech on a socket: contexts, each one utterance at a time; text goes in while sound comes out.

Knows no dialect: whoever opens a conversation says what messages mean and how events are told.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from basics.errors import Failure
from basics.events import Event, Failed
from operations.job import Piece
from server.asking import executor_of, job_of
from server.replies import STALL_SECONDS

log = logging.getLogger("worker.server")

MOST_CONTEXTS = 16
WAITING_CHARS = 200_000
"""Of text in one context that no voice has taken yet. Above it the socket is not read: its writer has to wait."""

Tell = Callable[[str, Event], Awaitable[None]]
"""Sends one event of a context to the client."""


class Text:
    """What is written into a context, and read by its voice."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        self._chars = 0
        self._taken = asyncio.Event()

    async def put(self, piece: Piece) -> None:
        while self._chars > WAITING_CHARS:
            self._taken.clear()
            await self._taken.wait()
        self._chars += len(piece.text)
        self._pieces.put_nowait(piece)

    def end(self) -> None:
        self._pieces.put_nowait(None)
        self._taken.set()

    async def read(self, idle_seconds: float) -> AsyncGenerator[Piece, None]:
        """Until it ends, or nothing more is written for so long: then what was written is all."""
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(idle_seconds):
                    piece = await self._pieces.get()
                if piece is None:
                    return
                self._chars -= len(piece.text)
                self._taken.set()
                yield piece


class Conversation:
    """All contexts of one socket."""

    def __init__(self, socket: WebSocket, tell: Tell, idle_seconds: float) -> None:
        self._socket = socket
        self._tell = tell
        self.idle_seconds = idle_seconds
        """After which a context in which nothing is written ends by itself."""
        self._contexts: dict[str, tuple[Text, asyncio.Task[None]]] = {}
        self._sending = asyncio.Lock()

    def __contains__(self, context: str) -> bool:
        return context in self._contexts

    def open(self, context: str, input: Mapping[str, Any]) -> None:
        """Raises `busy` where the socket has as many as it may."""
        if len(self._contexts) >= MOST_CONTEXTS:
            raise Failure("busy", f"A socket has at most {MOST_CONTEXTS} contexts; close one.")
        text = Text()
        self._contexts[context] = text, asyncio.create_task(self._speak(context, text, input))

    async def write(self, context: str, text: str, *, flush: bool = False) -> None:
        if context in self._contexts:
            await self._contexts[context][0].put(Piece(text, flush))

    def end(self, context: str) -> None:
        """No more text; what was written is spoken to its end."""
        if context in self._contexts:
            self._contexts[context][0].end()

    async def cancel(self, context: str) -> None:
        """Silence, now. Idempotent."""
        if (found := self._contexts.pop(context, None)) is not None:
            found[1].cancel()
            await asyncio.gather(found[1], return_exceptions=True)

    async def finish(self) -> None:
        """Every context is spoken to its end."""
        for context in self._contexts:
            self.end(context)
        await asyncio.gather(*(task for _, task in self._contexts.values()), return_exceptions=True)

    async def close(self) -> None:
        await asyncio.gather(*(self.cancel(context) for context in list(self._contexts)))

    async def send(self, message: Mapping[str, Any]) -> None:
        """A client that takes nothing for long is gone."""
        async with self._sending, asyncio.timeout(STALL_SECONDS):
            if self._socket.application_state is WebSocketState.CONNECTED:
                await self._socket.send_json(message)

    async def send_bytes(self, data: bytes) -> None:
        async with self._sending, asyncio.timeout(STALL_SECONDS):
            if self._socket.application_state is WebSocketState.CONNECTED:
                await self._socket.send_bytes(data)

    async def _speak(self, context: str, text: Text, input: Mapping[str, Any]) -> None:
        job = job_of(input, written=text.read(self.idle_seconds))
        try:
            async with aclosing(executor_of(self._socket).perform(job)) as events:
                async for event in events:
                    await self._tell(context, event)
        except (WebSocketDisconnect, RuntimeError, TimeoutError, OSError) as gone:
            log.info("client_gone", extra={"why": type(gone).__name__})
        except Failure as failure:
            await self._tell(context, Failed(failure))
        finally:
            if self._contexts.get(context, (None,))[0] is text:
                del self._contexts[context]
