"""One client on a socket: what it says, and what it is told, until all is told or it is gone.

Knows no dialect. A client that takes nothing for long is let go.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from basics.errors import Failure
from server.replies import STALL_SECONDS

log = logging.getLogger("worker.server")

Message = Mapping[str, Any] | bytes
T = TypeVar("T")
GONE = (WebSocketDisconnect, RuntimeError, TimeoutError, OSError)
"""What a send raises when nobody is there any more."""
POLICY = 1008
MOST_WAITING = 8
"""Messages of one client that wait for their turn. Above it the socket is not read: the client has to wait."""


async def messages(socket: WebSocket) -> AsyncIterator[dict[str, Any]]:
    """The client's messages until it hangs up. Raises `invalid_input` for what is no JSON object."""
    while (frame := await socket.receive())["type"] == "websocket.receive":
        try:
            message = json.loads(frame.get("text") or "")
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise Failure("invalid_input", "A message is a JSON object, sent as text.")
        yield message


async def tell(socket: WebSocket, messages: AsyncGenerator[Message, None]) -> bool:
    """Whether the client was there to the end. What it says meanwhile is thrown away."""
    async with _until(_left(socket)) as gone:
        return bool(await _unless(gone, _tell(socket, messages)))


async def in_turn(socket: WebSocket, answer: Callable[[dict[str, Any]], AsyncGenerator[Message, None]]) -> None:
    """Answers each message to its end before the next, until the client hangs up, which ends the answer too.

    Raises `invalid_input` at what is no JSON object, once all before it is answered.
    """
    waiting: asyncio.Queue[dict[str, Any] | Failure] = asyncio.Queue(MOST_WAITING)
    async with _until(_heard(socket, waiting)) as gone:
        while (message := await _unless(gone, waiting.get())) is not None:
            if isinstance(message, Failure):
                raise message
            if not await _unless(gone, _tell(socket, answer(message))):
                return


async def refuse(socket: WebSocket, message: Mapping[str, Any]) -> None:
    """The last word, if the client is there to hear it."""
    with contextlib.suppress(*GONE):
        await socket.send_json(message)
    await part(socket, POLICY)


async def part(socket: WebSocket, code: int = 1000, reason: str = "") -> None:
    """Hangs up, if the client has not."""
    with contextlib.suppress(*GONE):
        await socket.close(code, reason)


async def _heard(socket: WebSocket, waiting: asyncio.Queue[dict[str, Any] | Failure]) -> None:
    """Ends when the client is gone."""
    try:
        async for message in messages(socket):
            await waiting.put(message)
    except Failure as failure:
        await waiting.put(failure)
        await _left(socket)


async def _tell(socket: WebSocket, messages: AsyncGenerator[Message, None]) -> bool:
    async with aclosing(messages) as each:
        async for message in each:
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    if isinstance(message, bytes):
                        await socket.send_bytes(message)
                    else:
                        await socket.send_json(message)
            except GONE as gone:
                log.info("client_gone", extra={"why": type(gone).__name__})
                return False
    return True


async def _left(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            if (await socket.receive())["type"] == "websocket.disconnect":
                return


@contextlib.asynccontextmanager
async def _until(leaving: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """What ends when the client is gone, for as long as the block lasts."""
    gone = asyncio.ensure_future(leaving)
    try:
        yield gone
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _unless(gone: asyncio.Task[None], work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None, and the work given up, where the client is gone first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
