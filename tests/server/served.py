"""The server for tests, over a house that speaks with Tone: a real socket, in the test's own loop.

By the fixture `both_executors` a test runs twice: with the house in the server, and with it behind a control plane.
"""

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
from operations.opening import Opened, around
from server import app as apps
from server.deployed import Deployed
from server.executor import Executor, Here
from tests.houses import standing
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import working

places = ["here"]
"""Where `served` has its jobs run: the last one counts."""


@asynccontextmanager
async def served(folder: Path, score: Score | None = None, **environment: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; `client.base_url` is its address. The house is `house_of(client)`."""
    how = executing if places[-1] == "here" else deployed
    async with how(folder, score, **environment) as (house, settings, executor):
        async with listening(settings, executor) as client:
            client.house = house  # type: ignore[attr-defined]
            yield client


HISTORY = ("MODE", "DATABASE_URL", "RUNPOD_ENDPOINT_ID")
Placed = tuple[House, Settings, Callable[[], Executor]]


@asynccontextmanager
async def executing(folder: Path, score: Score | None, **environment: str) -> AsyncIterator[Placed]:
    async with standing(folder, score, None, **environment) as house:
        await house.manager.warm("tone")

        async def opening() -> Opened:
            return around(house)

        yield house, house.settings, lambda: Here(opening)


@asynccontextmanager
async def deployed(
    folder: Path, score: Score | None, queue_seconds: float = 60.0, **environment: str
) -> AsyncIterator[Placed]:
    """As if the house were a worker of RunPod's endpoint `ep`. The history that is asked for is the gateway's."""
    own = {name: environment.pop(name) for name in HISTORY if name in environment}
    async with standing(folder, score, None, **environment) as house:
        await house.manager.warm("tone")
        with ControlPlane() as plane:
            near = {"runpod_api_key": "loopback", "endpoint_address": f"{plane.url}/v2"}
            changed = near | {"endpoints": {"embedded": "ep"}} | history(folder, own)
            settings = house.settings.model_copy(update=changed)
            async with working(plane, around(house).answer):
                yield house, settings, lambda: Deployed(settings, queue_seconds)


def history(folder: Path, asked: dict[str, str]) -> dict[str, str]:
    """Of the gateway, which keeps what the worker would keep in a process of its own."""
    if not asked:
        return {}
    url = asked.get("DATABASE_URL", f"sqlite:///{folder / 'history' / 'history.sqlite'}")
    return {"mode": "http", "database_url": url, "endpoint_id": asked.get("RUNPOD_ENDPOINT_ID", "")}


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
