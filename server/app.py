"""The app: every dialect's routes over one executor. Start reading here.

A request passes `passage`, then its dialect's route: the key is checked, the body becomes an operation's input,
`asking` hands it to the executor, `replies` sends what comes. Nothing in here computes.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from basics.errors import Failure
from basics.settings import Settings
from basics.version import VERSION
from server import dialects
from server.desk import Desk
from server.executor import Executor
from server.passage import REST_BYTES, Passage
from server.replies import plain, unroutable
from server.uploads import AT_ONCE, Room

BASE64 = 4 / 3


def made(settings: Settings, executor: Callable[[], Executor]) -> FastAPI:
    """`executor` is called once the server's loop runs; whatever it gives is closed at shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.uploads = Room(round(AT_ONCE * settings.reference_mb * 1e6))
        app.state.executor = executor()
        app.state.desk = Desk(app.state.executor.perform)
        try:
            yield
        finally:
            await app.state.desk.close()
            await app.state.executor.close()

    app = FastAPI(title="worker-tts", version=VERSION, lifespan=lifespan, redirect_slashes=False)
    app.state.settings = settings
    for router in dialects.TABLE:
        app.include_router(router)
    app.add_exception_handler(Failure, _failed)
    app.add_exception_handler(HTTPException, _unroutable)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Model", "X-Voice", "X-Sample-Rate", "X-Not-Applied", "Retry-After"],
        )
    body_bytes = int(settings.reference_mb * 1_000_000 * BASE64 * REFERENCES) + REST_BYTES
    app.add_middleware(Passage, prefix=settings.base_path, body_bytes=body_bytes)
    return app


REFERENCES = 1
"""Of the largest recordings that one request may bring; five smaller ones fit as well."""


def _failed(_: Request, error: Exception) -> Response:
    return plain(error if isinstance(error, Failure) else Failure("internal", "Something broke."))


def _unroutable(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return Response(status_code=405, headers=error.headers)
    return plain(unroutable(error))
