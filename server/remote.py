"""One job on a deployed endpoint, from its submission to its last event. It is submitted once and heard once.

RunPod gives a job that lost its worker to another one, which begins anew: what was already passed on is never
followed by a second beginning, nor by what comes after a gap.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from operations.job import Job
from server.endpoint import TRIES, Endpoint
from server.told import done_of, event_of, failure_of

OPEN = ("IN_QUEUE", "IN_PROGRESS", "RUNNING")
FLOOR_SECONDS = 0.02
"""Between two looks at a job that is being worked on."""
QUEUED_SECONDS = 0.25
"""Between two looks at one that has waited for a while."""
LOOKS_A_SECOND = 150.0
"""Of all jobs together: the platform takes 200."""
SPARE_SECONDS = 60.0
"""Beyond its execution timeout, in which the platform ends a job itself."""


@dataclass(slots=True)
class Pace:
    """Looks are tight for few jobs, and share what the platform takes among many."""

    jobs: int = 0

    def seconds(self, status: str, queued: int) -> float:
        shared = max(FLOOR_SECONDS, self.jobs / LOOKS_A_SECOND)
        return min(QUEUED_SECONDS, shared * 1.2**queued) if status == "IN_QUEUE" and queued > 5 else shared


@dataclass(slots=True)
class Patience:
    queue_seconds: float
    """For a worker to take the job, cold start included."""
    work_seconds: float


@dataclass(slots=True)
class Remote:
    job: Job
    endpoint: Endpoint
    body: dict[str, Any]
    pace: Pace
    patience: Patience
    left: str = ""
    """The id of one that was submitted already, by a process before this one."""
    tries: int = TRIES
    """How often the platform is asked where it does not answer."""
    submitted: "asyncio.Task[str] | None" = None
    over: bool = False
    """Whether the platform has ended the job, so that there is nothing to cancel."""
    _next: int = 0
    _bytes: int = 0
    _looks: int = 0
    _status: str = "IN_QUEUE"
    _since: float = field(default_factory=time.monotonic)
    """When it came into its status."""

    async def events(self, *, twice: bool) -> AsyncGenerator[Event, None]:
        """Ends with one Done or Failed. Raises the Failure of the way there."""
        id = self.left
        if not id:
            self.submitted = asyncio.ensure_future(self.endpoint.run(self.body, twice=twice, tries=self.tries))
            id = await asyncio.shield(self.submitted)
        self.job.placed(f"{self.endpoint.id}/{id}")
        self.pace.jobs += 1
        try:
            async for event in self._heard(id):
                self.over = isinstance(event, Done | Failed)
                yield event
        finally:
            self.pace.jobs -= 1

    async def abandon(self) -> None:
        """Passes on that nobody wants it, once its id is known."""
        if self.over or not (self.left or self.submitted):
            return
        await self.endpoint.cancel(self.left or await self.submitted)  # type: ignore[misc]

    @property
    def rests(self) -> bool:
        """Whether whoever comes after this process can hear it whole."""
        known = bool(self.left) or (self.submitted is not None and self.submitted.done())
        return known and not self._next

    async def _heard(self, id: str) -> AsyncGenerator[Event, None]:
        while True:
            status, said = await self.endpoint.stream(id, self.tries)
            for event in read(said):
                if isinstance(event, Done):
                    async for last in self._ended(id, event):
                        yield last
                    return
                self._follow(event)
                yield event
                if isinstance(event, Failed):
                    return
            if status not in OPEN and not said:
                break
            await self._pause(status)
        async for event in self._answer(id):
            yield event

    async def _ended(self, id: str, done: Done) -> AsyncGenerator[Event, None]:
        """What the stream shows of an answer is whole, unless it was too large or holds a file."""
        if self._next and "segments" in done.answer:
            self._whole(done)
            yield done
            return
        async for event in self._answer(id):
            yield event

    async def _answer(self, id: str) -> AsyncGenerator[Event, None]:
        told = await self.endpoint.status(id, self.tries)
        while told.get("status") in OPEN:
            await self._pause(str(told["status"]))
            told = await self.endpoint.status(id, self.tries)
        for event in answers(told):
            if isinstance(event, Audio) and event.seq < self._next:
                continue
            self._follow(event)
            if isinstance(event, Done):
                self._whole(event)
            yield event

    def _follow(self, event: Event) -> None:
        if isinstance(event, Started) and self._next:
            raise _broken("its worker was lost, and another one began it anew")
        if not isinstance(event, Audio):
            return
        if event.seq != self._next:
            raise _broken("a part of its sound was lost on the way")
        self._next += 1
        self._bytes += len(event.data)

    def _whole(self, done: Done) -> None:
        told = done.answer.get("audio")
        if self._next and isinstance(told, dict) and told.get("bytes", self._bytes) != self._bytes:
            raise _broken("the end of its sound was lost on the way")

    async def _pause(self, status: str) -> None:
        now = time.monotonic()
        if status != self._status:
            self._status, self._since, self._looks = status, now, 0
        self._looks += 1
        if self.job.cancel.is_set():
            raise Failure("cancelled", "The job was cancelled.")
        waited = now - self._since
        if status == "IN_QUEUE" and waited > self.patience.queue_seconds:
            raise await self._not_taken()
        if status != "IN_QUEUE" and waited > self.patience.work_seconds + SPARE_SECONDS:
            raise Failure("timed_out", f"The endpoint did not answer within {self.patience.work_seconds:g} s.")
        await asyncio.sleep(self.pace.seconds(status, self._looks))

    async def _not_taken(self) -> Failure:
        try:
            workers = (await self.endpoint.health()).get("workers") or {}
            said = ", ".join(f"{count} {state}" for state, count in workers.items() if count) or "none"
        except Failure:
            said = "unknown"
        seconds = self.patience.queue_seconds
        return Failure("timed_out", f"No worker of the endpoint took the job within {seconds:g} s; workers: {said}.")


def answers(told: dict[str, Any]) -> Iterator[Event]:
    """What the final status holds. Raises why there is no answer."""
    match told.get("status"):
        case "COMPLETED":
            output = told.get("output")
            events = read(output) if isinstance(output, list) else []
            if not events and isinstance(output, list) and output and isinstance(output[0], dict):
                events = [done_of(output[0])]
            if not events or not isinstance(events[-1], Done):
                raise Failure(
                    "internal", "RunPod dropped the job's answer: it loses what is over 10 MB.", retryable=False
                )
            yield from events
        case "FAILED":
            yield Failed(failure_of(_error(told.get("error"))))
        case "TIMED_OUT":
            yield Failed(Failure("timed_out", "The endpoint's execution timeout ended the job."))
        case _:
            yield Failed(Failure("cancelled", "The job was cancelled on the endpoint."))


def read(said: list[Any]) -> list[Event]:
    return [event for event in map(event_of, said) if event is not None]


def _error(told: Any) -> Any:
    try:
        return json.loads(told) if isinstance(told, str) else told
    except ValueError:
        return None


def _broken(why: str) -> Failure:
    return Failure("internal", f"The job was broken off: {why}.", hint="Send it again.", retryable=True)
