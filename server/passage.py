"""What each request passes on its way in: the prefix, the trailing slash, and the limits of a body.

Plain ASGI, since it stands in front of all routes and of WebSockets too.
"""

import asyncio
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from basics.errors import Failure

OPEN = ("/ping", "/health")
"""Where the platform looks; it knows no prefix."""
BODY_SECONDS = 60.0
"""In which the next part of a body must come."""
REST_BYTES = 4_000_000
"""A request's text and fields beside its recordings."""


class Passage:
    def __init__(self, app: ASGIApp, prefix: str = "", body_bytes: int = REST_BYTES) -> None:
        self._app = app
        self._prefix = prefix.rstrip("/")
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope = self._routed(scope)
        if scope["type"] == "http":
            receive = _Body(receive, self._body_bytes).receive
        try:
            await self._app(scope, receive, send)
        except TooMuch as much:
            await refuse(send, much.failure)

    def _routed(self, scope: Scope) -> Scope:
        path: str = scope["path"]
        path = path.rstrip("/") or "/"
        inside = path == self._prefix or path.startswith(f"{self._prefix}/")
        changed: dict[str, Any] = {"path": path, "raw_path": path.encode()}
        if self._prefix and inside:
            changed["root_path"] = self._prefix
        elif self._prefix and path not in OPEN:
            changed["path"] = f"/not-under{self._prefix}"
        return {**scope, **changed}


class TooMuch(HTTPException):
    """FastAPI lets nothing else through while it reads a body."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.status, failure.message)
        self.failure = failure


class _Body:
    """Counts a request's body as it comes."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._bytes = 0
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise TooMuch(Failure("timed_out", "The request's body did not come in time.")) from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        if self._bytes > self._most:
            limit = f"{self._most / 1e6:.0f} MB"
            raise TooMuch(Failure("payload_too_large", f"The request's body is over {limit}."))
        return message


async def refuse(send: Send, failure: Failure) -> None:
    body = json.dumps({"error": failure.as_dict()}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
