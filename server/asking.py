"""How dialects ask: one answer, a stream of sound, each given up as soon as the client hangs up.

A failure before the first sound is raised, so that a dialect can answer it with a status of its own.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import HTTPConnection, Request

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from operations.job import Job, Piece
from operations.roll import Ask
from server.executor import Executor

if TYPE_CHECKING:
    from operations.background import Background

T = TypeVar("T")


def executor_of(connection: HTTPConnection) -> Executor:
    executor: Executor = connection.app.state.executor
    return executor


async def background_of(connection: HTTPConnection) -> "Background":
    """What runs jobs that nobody waits for. Raises why there is none."""
    return await executor_of(connection).background()


def job_of(
    input: Mapping[str, Any],
    id: str = "",
    written: AsyncGenerator[Piece, None] | None = None,
    goes_on: bool = False,
) -> Job:
    """A door of ours carries an inline file of any size. `written` is the text of live speech, `goes_on` that it
    is more of what is spoken already."""
    return Job(id or uuid.uuid4().hex, dict(input), wide=True, written=written, goes_on=goes_on)


@dataclass(slots=True)
class Talk:
    """A stream that has begun to sound."""

    started: Started
    first: Audio
    rest: AsyncGenerator[Event, None]
    done: Done | None = None
    """Known once all sounds were read."""

    async def sounds(self) -> AsyncGenerator[Audio, None]:
        """Raises the Failure that ends it early."""
        async with aclosing(self.rest):
            yield self.first
            async for event in self.rest:
                if isinstance(event, Audio):
                    yield event
                elif isinstance(event, Done):
                    self.done = event
                elif isinstance(event, Failed):
                    raise event.error


async def answered(request: Request, input: Mapping[str, Any]) -> Done:
    """The answer of one operation. Raises its Failure."""
    return await attended(request, answer(executor_of(request), job_of(input)))


def ask_of(request: Request) -> Ask:
    async def ask(input: Mapping[str, Any]) -> dict[str, Any]:
        return (await answered(request, input)).answer

    return ask


async def answer(executor: Executor, job: Job) -> Done:
    async with aclosing(executor.perform(job)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                return event
    raise _ended()


async def streamed(request: Request, input: Mapping[str, Any]) -> Talk:
    """Returns once the first sound is there. Raises the Failure that came instead."""
    return await attended(request, begun(executor_of(request), job_of({**input, "delivery": "stream"})))


async def begun(executor: Executor, job: Job) -> Talk:
    events = executor.perform(job)
    started: Started | None = None
    try:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Started):
                started = event
            elif isinstance(event, Audio) and started is not None:
                return Talk(started, event, events)
        raise _ended()
    except BaseException:
        await events.aclose()
        raise


async def attended(request: Request, work: Awaitable[T]) -> T:
    """The work's result; given up, with `cancelled`, when the client hangs up. The body must have been read."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hung_up(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Failure("cancelled", "The client hung up.")
    finally:
        for task in (working, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await task


async def hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _ended() -> Failure:
    return Failure("internal", "The job ended without an answer.")
