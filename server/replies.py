"""What goes back: sound as it is made, a whole file, an error in the dialect's own shape.

A stream that fails after its first byte ends without the end of its body, so that no client takes it for whole.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from basics.errors import Failure
from basics.events import Done
from server.asking import Talk
from server.passage import TooMuch
from speech.formats import FORMATS

log = logging.getLogger("worker.server")

STALL_SECONDS = 60.0
"""A client that takes no byte for so long is gone."""
AGAIN_SECONDS = 1
"""What `Retry-After` says."""

Complaint = Callable[[Failure], Response]
"""A dialect's shape of an error."""


def content_type(format: str) -> str:
    return FORMATS[format].content_type


def spoke(model: str, voice: str, sample_rate: int) -> dict[str, str]:
    """Headers that say who spoke."""
    name = voice.encode("latin-1", "replace").decode("latin-1")
    return {"X-Model": model, "X-Voice": name, "X-Sample-Rate": str(sample_rate)}


def speaks(talk: Talk) -> dict[str, str]:
    return spoke(talk.started.model, talk.started.voice, talk.started.sample_rate)


class Streamed(Response):
    """Bytes as they are made. The reader's pace is the maker's; one that hangs up ends the making."""

    def __init__(
        self, pieces: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, dict(headers or {}), media_type)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None and not isinstance(error, OSError):
            raise error

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(STALL_SECONDS):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (Failure, TimeoutError) as error:
            log.warning("stream_broke", extra={"code": error.code if isinstance(error, Failure) else "timed_out"})
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def sound(talk: Talk, headers: Mapping[str, str] | None = None) -> Streamed:
    """A stream of speech as the body."""
    return Streamed(bodies(talk), content_type(talk.started.format), speaks(talk) | dict(headers or {}))


async def bodies(talk: Talk) -> AsyncGenerator[bytes, None]:
    async with aclosing(talk.sounds()) as sounds:
        async for piece in sounds:
            yield piece.data


def file(done: Done, headers: Mapping[str, str] | None = None) -> Response:
    """A finished file as the body."""
    audio = done.answer["audio"]
    said = spoke(str(done.answer.get("model", "")), str(done.answer.get("voice", "")), audio["sample_rate"])
    return Response(done.data or b"", 200, said | dict(headers or {}), content_type(audio["format"]))


def complaint(failure: Failure, body: Any) -> JSONResponse:
    """An error of any shape, with the status and the headers that go with its code."""
    headers = {"Retry-After": str(AGAIN_SECONDS)} if failure.code == "busy" else {}
    if failure.code == "unauthorised":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, failure.status, headers)


class Fault(BaseModel):
    code: str
    message: str
    field: str | None = None
    hint: str | None = None
    position: int | None = None
    retryable: bool


class Plain(BaseModel):
    error: Fault


def plain(failure: Failure) -> Response:
    """The contract's own shape, of routes that have none of another's."""
    return complaint(failure, {"error": failure.as_dict()})


class Detail(BaseModel):
    detail: str


def detailed(failure: Failure) -> Response:
    """As FastAPI itself tells errors, which dialects of servers built on it have kept."""
    return complaint(failure, {"detail": " ".join(filter(None, (failure.message, failure.hint)))})


def faults(body: Any) -> dict[int | str, dict[str, Any]]:
    """What a dialect's routes declare of their errors."""
    return {
        "4XX": {"model": body, "description": "What is wrong with the request, or 429: too much at once"},
        "5XX": {"model": body, "description": "What keeps the worker from it"},
    }


def shaped(shape: Complaint) -> type[APIRoute]:
    """Routes whose failures are told in a dialect's shape, those of the request's form included."""

    class Shaped(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handle(request)
                except Failure as failure:
                    return shape(failure)
                except RequestValidationError as error:
                    return shape(misshapen(error))
                except HTTPException as error:
                    return shape(unroutable(error))

            return handled

    return Shaped


def misshapen(error: RequestValidationError) -> Failure:
    """The first thing that is wrong with a request's form, in our words."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    field = ".".join(where)
    message = f"`{field}`: {first['msg']}." if field else f"The request's body: {first['msg']}."
    return Failure("invalid_input", message, field=field or None)


def unroutable(error: HTTPException) -> Failure:
    if isinstance(error, TooMuch):
        return error.failure
    code = {401: "unauthorised", 404: "not_found", 413: "payload_too_large"}.get(error.status_code, "invalid_input")
    return Failure(code, str(error.detail))


async def _gone(receive: Receive) -> None:
    with contextlib.suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            continue
