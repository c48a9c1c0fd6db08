"""Where jobs run: what the server needs of it, and the one that runs them in this process.

The other is `deployed`: RunPod endpoints behind the same interface. Knows no HTTP.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from basics.errors import Failure
from basics.events import Event, Failed
from operations.job import Job
from operations.opening import Opened, refusing

if TYPE_CHECKING:
    from operations.background import Background


@dataclass(frozen=True, slots=True)
class Readiness:
    ready: bool
    failure: Failure | None = None
    """Why it never will be."""


class Executor(Protocol):
    def perform(self, job: Job) -> AsyncGenerator[Event, None]:
        """The job's events, ending in exactly one Done or Failed. `aclose` cancels it. A job refused because there is
        too much work is a Failed with `busy`, at once."""
        ...

    async def readiness(self) -> Readiness: ...

    async def metrics(self) -> str:
        """As Prometheus reads them."""
        ...

    async def background(self) -> "Background":
        """The one of this server, which takes up from its start what a server before it left. Raises why there is
        none."""
        ...

    async def close(self) -> None: ...


class Here:
    """In this process. Answers at once that it is loading; a job that comes meanwhile waits for the model."""

    def __init__(self, opening: Callable[[], Awaitable[Opened]]) -> None:
        self._opened = asyncio.ensure_future(_or_refusing(opening))
        self._background = asyncio.ensure_future(self._begun())

    async def perform(self, job: Job) -> AsyncGenerator[Event, None]:
        opened = await asyncio.shield(self._opened)
        try:
            opened.admit(job)
        except Failure as busy:
            yield Failed(busy)
            return
        async with aclosing(opened.answer(job)) as events:
            async for event in events:
                yield event

    async def readiness(self) -> Readiness:
        if not self._opened.done():
            return Readiness(False)
        failure = self._opened.result().failure
        return Readiness(failure is None, failure)

    async def metrics(self) -> str:
        return self._opened.result().metrics() if self._opened.done() else ""

    async def background(self) -> "Background":
        found = await asyncio.shield(self._background)
        if isinstance(found, Failure):
            raise found
        return found

    async def close(self) -> None:
        if not self._opened.done():
            self._opened.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            if not isinstance(background := await self._background, Failure):
                await background.drain()
        with contextlib.suppress(asyncio.CancelledError):
            await (await self._opened).close()

    async def _begun(self) -> "Background | Failure":
        opened = await self._opened
        if opened.background is None:
            return opened.failure or Failure("not_supported", "This server runs no jobs that nobody waits for.")
        background = opened.background()
        await background.start()
        return background


async def _or_refusing(opening: Callable[[], Awaitable[Opened]]) -> Opened:
    try:
        return await opening()
    except Failure as failure:
        return refusing(failure)
