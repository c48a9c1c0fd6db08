"""A gateway for tests: a house with Tone as an endpoint's worker, the control plane, and the executor."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basics.events import Event, Failed
from basics.settings import Settings
from models.engines.tone import Score
from operations.house import House
from operations.job import Job
from operations.opening import around
from server.deployed import Deployed
from tests.houses import standing
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import Inside, working


@dataclass
class Gateway:
    plane: ControlPlane
    house: House
    inside: Inside
    executor: Deployed

    async def ask(self, **input: Any) -> list[Event]:
        return await asked(self.executor, wide=True, **input)


@asynccontextmanager
async def gateway(folder: Path, score: Score | None = None, **environment: str) -> AsyncIterator[Gateway]:
    async with standing(folder, score, **environment) as house:
        await house.manager.warm("tone")
        with ControlPlane() as plane:
            async with (
                working(plane, around(house).answer) as inside,
                before(plane, more={"allow_hosts": house.settings.allow_hosts}, tone="ep") as executor,
            ):
                yield Gateway(plane, house, inside, executor)


@asynccontextmanager
async def before(
    plane: ControlPlane | str,
    queue_seconds: float = 60.0,
    key: str = "loopback",
    more: dict[str, Any] | None = None,
    **endpoints: str,
) -> AsyncIterator[Deployed]:
    """Model ids' hyphens are underscores here."""
    named = {name.replace("_", "-"): id for name, id in endpoints.items()}
    near: dict[str, Any] = {"runpod_api_key": key, "endpoint_address": f"{url_of(plane)}/v2", "endpoints": named}
    executor = Deployed(Settings.read({}).model_copy(update=near | (more or {})), queue_seconds)
    try:
        yield executor
    finally:
        await executor.close()


def url_of(plane: ControlPlane | str) -> str:
    return plane if isinstance(plane, str) else plane.url


async def asked(executor: Deployed, *, wide: bool = False, **input: Any) -> list[Event]:
    async with aclosing(executor.perform(Job("job-1", input, wide=wide))) as events:
        return [event async for event in events]


def refusal(events: list[Event]) -> tuple[str, str]:
    """The code and the message of what ends the events."""
    last = events[-1]
    assert isinstance(last, Failed), last
    return last.error.code, last.error.message
