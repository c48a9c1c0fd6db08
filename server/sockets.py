"""Messages to one client on a socket, until all are told or it is gone. A client that takes nothing is let go."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from server.replies import STALL_SECONDS

log = logging.getLogger("worker.server")

Message = Mapping[str, Any] | bytes
GONE = (WebSocketDisconnect, RuntimeError, TimeoutError, OSError)
"""What a send raises when nobody is there any more."""
POLICY = 1008


async def tell(socket: WebSocket, messages: AsyncGenerator[Message, None]) -> bool:
    """Whether the client was there to the end. What it says meanwhile is not read."""
    telling = asyncio.ensure_future(_tell(socket, messages))
    leaving = asyncio.ensure_future(_left(socket))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return telling.done() and telling.result()
    finally:
        for task in (telling, leaving):
            task.cancel()
        await asyncio.gather(telling, leaving, return_exceptions=True)


async def part(socket: WebSocket, code: int = 1000, reason: str = "") -> None:
    """Hangs up, if the client has not."""
    with contextlib.suppress(*GONE):
        await socket.close(code, reason)


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
