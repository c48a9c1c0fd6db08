"""The server for tests, over a house that speaks with Tone: a real socket, in the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn

from basics.settings import Settings
from models.engines.tone import Score
from operations.house import House
from operations.opening import around
from server import app as apps
from server.executor import Executor, Here
from tests.houses import standing


@asynccontextmanager
async def served(folder: Path, score: Score | None = None, **environment: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; `client.base_url` is its address. The house is `house_of(client)`."""
    async with standing(folder, score, **environment) as house:
        await house.manager.warm("tone")

        async def opening():  # type: ignore[no-untyped-def]
            return around(house)

        async with listening(house.settings, lambda: Here(opening)) as client:
            client.house = house  # type: ignore[attr-defined]
            yield client


def house_of(client: httpx.AsyncClient) -> House:
    house: House = client.house  # type: ignore[attr-defined]
    return house


@asynccontextmanager
async def listening(settings: Settings, executor: Callable[[], Executor]) -> AsyncIterator[httpx.AsyncClient]:
    """Any executor behind the app; ends orderly."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(apps.made(settings, executor), log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await serving
        listener.close()
