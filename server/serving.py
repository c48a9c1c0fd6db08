"""Runs the app: which address it listens on, a second port for health checks, and an orderly end.

Both ports are one server's: the platform's health checks may come to one of their own.
"""

import asyncio
import logging
import socket
from functools import partial

import uvicorn
from fastapi import FastAPI

from basics.errors import Failure
from basics.settings import Settings
from operations.house import House
from operations.opening import opened
from server import app as apps
from server.deployed import Deployed
from server.executor import Executor, Here
from server.front import front
from server.routing import Routes

log = logging.getLogger("worker.server")

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
KEEP_ALIVE_SECONDS = 75
"""Longer than the minute for which proxies keep an idle connection, so that they are the ones to close it."""
LINE_BYTES = 64_000
"""Of a request's head, and of one message on a socket."""
BACKLOG = 2048


def executor(settings: Settings, house: House | None = None) -> Executor:
    """In front of deployed endpoints where ENDPOINTS names some, with that house of its own, else in this process."""
    if settings.endpoints:
        return Deployed(settings, house=house)
    return Here(partial(opened, settings))


def address(settings: Settings) -> str:
    """All addresses where somebody checks keys: the platform's edge, or we ourselves."""
    return EVERYWHERE if settings.endpoint_id or settings.api_keys else LOOPBACK


def serve(settings: Settings) -> int:
    """Until SIGTERM: what is being answered then has SHUTDOWN_SECONDS."""
    # So that a mistake in its settings ends a gateway before it listens.
    house = front(settings, Routes(settings)) if settings.endpoints else None
    host = address(settings)
    if host == LOOPBACK:
        log.warning("loopback_only", extra={"why": "API_KEYS is not set"})
    asyncio.run(_serve(apps.made(settings, partial(executor, settings, house)), settings, host))
    return 0


async def _serve(app: FastAPI, settings: Settings, host: str) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
        ws_max_size=LINE_BYTES,
        h11_max_incomplete_event_size=LINE_BYTES,
    )
    sockets = [listening(host, settings.port)]
    if settings.port_health not in (None, settings.port):
        sockets.append(listening(host, settings.port_health or 0))
    log.info("serving", extra={"address": host, "ports": [each.getsockname()[1] for each in sockets]})
    await uvicorn.Server(config).serve(sockets)


def listening(host: str, port: int) -> socket.socket:
    """Raises `misconfigured` where somebody else has the port."""
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise Failure("misconfigured", f"PORT: {port} cannot be listened on: {error.strerror}.") from None
    # asyncio sets it on sockets of its own making only. Without it a stream's first sound waits 40 ms, on a connection
    # that was used before, for the client to acknowledge the head. Connections have it from their listener.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
