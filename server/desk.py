"""Jobs handed in over HTTP and fetched later, as RunPod keeps them: states, a stream that is read once, the answer.

In this process's memory and bounded there, by number, age and bytes. What the executor has no place for waits in
line. Knows no HTTP and no history: whoever keeps jobs longer puts something of this shape in its place.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from basics.errors import Failure
from basics.events import Event
from operations.job import Job
from operations.queue import Post, Talk, size

MOST_WAITING = 1000
MOST_KEPT = 1000
KEPT_SECONDS, SYNC_KEPT_SECONDS = 1800.0, 60.0
"""RunPod's own."""
UNREAD_BYTES = 32_000_000
"""Of one job's stream that nobody reads: eight minutes of plain PCM, an hour of mp3."""
KEPT_BYTES = 500_000_000
"""Of all jobs together, after which the oldest that have ended go."""
BUSY_SECONDS = 0.025
"""Between two tries of those that wait in line."""
TAKEN_SECONDS = 0.05
"""A job that was not refused by then is being worked on, though it says nothing yet."""

Perform = Callable[[Job], AsyncGenerator[Event, None]]


@dataclass(slots=True, eq=False)
class Ticket:
    job: Job
    keep_seconds: float
    seconds: float | None
    """For the work, once it has begun."""
    state: str = "IN_QUEUE"
    output: list[dict[str, Any]] | None = None
    error: str | None = None
    handed_in: float = field(default_factory=time.monotonic)
    begun: float | None = None
    ended: float | None = None
    bytes: int = 0
    unread: deque[dict[str, Any]] = field(default_factory=deque)
    unread_bytes: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    def told(self) -> dict[str, Any]:
        """As RunPod's `/status` tells it. Times are in milliseconds there."""
        told: dict[str, Any] = {"id": self.job.id, "status": self.state}
        if self.begun is not None:
            told["delayTime"] = int((self.begun - self.handed_in) * 1000)
        if self.begun is not None and self.ended is not None:
            told["executionTime"] = int((self.ended - self.begun) * 1000)
        if self.output is not None:
            told["output"] = self.output
        return told | ({} if self.error is None else {"error": self.error})

    def read(self) -> list[dict[str, Any]]:
        """What was said since the last reading."""
        said = list(self.unread)
        self.unread.clear()
        self.bytes -= self.unread_bytes
        self.unread_bytes = 0
        return said

    def say(self, payload: dict[str, Any]) -> None:
        self.unread.append(payload)
        self.unread_bytes += (length := size(payload))
        self.bytes += length
        if self.unread_bytes > UNREAD_BYTES:
            raise Failure(
                "payload_too_large",
                f"Nobody read the job's stream, and {UNREAD_BYTES / 1e6:g} MB of it waited.",
                hint="Read `/stream` while it is made, or ask for a file.",
            )

    def end(self, state: str) -> None:
        self.state, self.ended = state, time.monotonic()
        self.over.set()


class Desk:
    def __init__(self, perform: Perform) -> None:
        self._perform = perform
        self._tickets: dict[str, Ticket] = {}
        self._line: deque[asyncio.Event] = deque()
        self._calling: asyncio.Task[None] | None = None

    def hand_in(self, job: Job, *, sync: bool = False, seconds: float | None = None) -> Ticket:
        """Raises `busy` when too many wait."""
        self._tidy()
        if self.counts()["IN_QUEUE"] >= MOST_WAITING:
            raise Failure("busy", f"This server has {MOST_WAITING:,} jobs waiting, the most it takes.")
        ticket = Ticket(job, SYNC_KEPT_SECONDS if sync else KEPT_SECONDS, seconds)
        self._tickets[job.id] = ticket
        ticket.task = asyncio.create_task(self._run(ticket))
        return ticket

    def find(self, id: str) -> Ticket:
        self._tidy()
        if id not in self._tickets:
            raise Failure("not_found", "No job with this id is known here, or no longer.", field="id")
        return self._tickets[id]

    async def until(self, ticket: Ticket, seconds: float) -> None:
        """Until it has ended, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ticket.over.wait()

    async def cancel(self, ticket: Ticket) -> None:
        """Does nothing to one that has ended."""
        if ticket.ended is None:
            ticket.end("CANCELLED")
            ticket.job.cancel.set()
        if ticket.task is not None:
            ticket.task.cancel()
            await asyncio.wait({ticket.task})

    async def purge(self) -> int:
        """Forgets what still waits."""
        waiting = [ticket for ticket in self._tickets.values() if ticket.state == "IN_QUEUE"]
        for ticket in waiting:
            await self.cancel(ticket)
            self._tickets.pop(ticket.job.id, None)
        return len(waiting)

    def counts(self) -> Counter[str]:
        """Jobs by state."""
        return Counter(ticket.state for ticket in self._tickets.values())

    async def close(self) -> None:
        for ticket in list(self._tickets.values()):
            await self.cancel(ticket)
        if self._calling is not None:
            self._calling.cancel()

    async def _run(self, ticket: Ticket) -> None:
        try:
            async with asyncio.timeout(None) as limit:
                if self._line:
                    await self._stand(ticket, first=False)
                while not await self._tried(ticket, limit):
                    await self._stand(ticket, first=True)
        except TimeoutError:
            ticket.end("TIMED_OUT")
        finally:
            ticket.job.cancel.set()
            if ticket.ended is None:
                ticket.end("CANCELLED")

    async def _stand(self, ticket: Ticket, *, first: bool) -> None:
        """In line, until it may try."""
        turn = asyncio.Event()
        (self._line.appendleft if first else self._line.append)(turn)
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call())
        try:
            await turn.wait()
        finally:
            if turn in self._line:
                self._line.remove(turn)

    async def _call(self) -> None:
        """The executor does not say when it has a place again: who is first in line tries, again and again."""
        while self._line:
            await asyncio.sleep(BUSY_SECONDS)
            if self._line:
                self._line.popleft().set()

    async def _tried(self, ticket: Ticket, limit: asyncio.Timeout) -> bool:
        """False where there was no place for it."""
        taken = asyncio.get_running_loop().call_later(TAKEN_SECONDS, self._begin, ticket, limit)
        try:
            async with talking(self._perform(ticket.job)) as (talk, posts):
                async for post in posts:
                    if talk.outcome == "busy" and not ticket.bytes:
                        ticket.begun, ticket.state = None, "IN_QUEUE"
                        return False
                    self._begin(ticket, limit)
                    try:
                        self._hear(ticket, post)
                    except Failure as failure:
                        ticket.error = json.dumps(failure.as_dict(), ensure_ascii=False)
                        ticket.end("FAILED")
                        return True
        finally:
            taken.cancel()
        return True

    def _begin(self, ticket: Ticket, limit: asyncio.Timeout) -> None:
        if ticket.begun is None and ticket.ended is None:
            ticket.begun, ticket.state = time.monotonic(), "IN_PROGRESS"
            if ticket.seconds is not None:
                limit.reschedule(asyncio.get_running_loop().time() + ticket.seconds)

    def _hear(self, ticket: Ticket, post: Post) -> None:
        if post.failed:
            ticket.error = post.payload["error"]
            ticket.end("FAILED")
            return
        ticket.say(dict(post.payload))
        if post.last:
            ticket.output = [post.complete()]
            ticket.bytes += size(ticket.output)
            ticket.end("COMPLETED")

    def _tidy(self) -> None:
        """Tickets lie in the order in which they came."""
        now = time.monotonic()
        ended = [ticket for ticket in self._tickets.values() if ticket.ended is not None]
        held, count = sum(ticket.bytes for ticket in self._tickets.values()), len(ended)
        for ticket in ended:
            if now - (ticket.ended or now) > ticket.keep_seconds or held > KEPT_BYTES or count > MOST_KEPT:
                del self._tickets[ticket.job.id]
                held, count = held - ticket.bytes, count - 1


@contextlib.asynccontextmanager
async def talking(road: AsyncGenerator[Event, None]) -> AsyncGenerator[tuple[Talk, AsyncGenerator[Post, None]], None]:
    """A job's posts; leaving gives it up."""
    talk = Talk(road)
    try:
        async with aclosing(talk.posts()) as posts:
            yield talk, posts
    finally:
        await talk.close()
