"""Jobs that run while nobody waits: accepted first, run by a bounded pool, watched and fetched by whoever comes.

An accepted job is in the history before `submit` returns, so that another process finishes it if this one dies.
Results stay in memory for a while and behind that in the store, for RESULT_SECONDS. Knows no HTTP: doors stand
on it. All of it belongs to one event loop.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from basics.errors import Failure
from basics.events import Done, Event, Failed, Started
from operations.answer import answer
from operations.errand import Errand, Result
from operations.finished import Finished
from operations.hearing import Heard, hear, of_file, silent
from operations.house import House
from operations.job import Job
from operations.jobs import page
from operations.records import asked, finished, running
from operations.remains import hopeless, work_of
from operations.request import SpeakRequest
from store.history.record import Page, Query, Work

log = logging.getLogger("worker.background")

Perform = Callable[[Job], AsyncGenerator[Event, None]]

PLACES = 16
"""Jobs under way at once where MAX_CONCURRENCY does not say: the scheduler shares out the model among them."""
ROOM = 1000
"""Jobs that may wait for a place."""
CLAIM_SECONDS = 10.0
"""Between looks for jobs whose processes died."""
ACCEPT_SECONDS, DOUBT_SECONDS = 4.0, 10.0
"""How long a job's way into the history may take, and how long none is tried after one took longer."""
LOOK_SECONDS = 1.0
"""Between looks at a job that another process runs."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A wish to cancel comes from history's thread; what it stops belongs to the loop."""

    loop: asyncio.AbstractEventLoop
    cancel: Callable[[], object]

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs any more
            self.loop.call_soon_threadsafe(self.cancel)


class Background:
    def __init__(
        self,
        house: House,
        perform: Perform | None = None,
        serves: Callable[[str], object] | None = None,
        places: int | None = None,
        room: int = ROOM,
        wall: Callable[[], float] = time.time,
        accept_seconds: float = ACCEPT_SECONDS,
    ) -> None:
        """`serves` raises for a model that `perform` cannot speak with."""
        self._house = house
        self._perform = perform or partial(answer, house=house)
        self._serves = serves or house.catalogue.find
        self._places = places or house.settings.max_concurrency or PLACES
        self._room, self._wall = room, wall
        self._errands: dict[str, Errand] = {}
        self._waiting: deque[Errand] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished = Finished(house)
        self._claiming: asyncio.Task[None] | None = None
        self._claimed: asyncio.Task[int] | None = None
        self._accept_seconds, self._doubted_until = accept_seconds, float("-inf")
        self._closed = False
        self._admitting: set[asyncio.Task[None]] = set()
        """Jobs on their way into the history."""

    async def start(self) -> None:
        """Takes up what a process before this one left, and goes on looking for such jobs."""
        await self.resume()
        self._claiming = asyncio.create_task(self._claim_again())

    async def submit(self, job: Job) -> str:
        """Its id. Raises `busy` when too many wait, `key_conflict` when there is a job of this id."""
        if job.id in self._errands:
            raise Failure("key_conflict", "There is a job with this id already.", field="id")
        self._check_room()
        job = replace(job, accepted=True, wide=True, placed=partial(self._placed, job.id))
        errand = self._take(Errand(job, asked(job, self._house, self._wall())))
        admitting = asyncio.create_task(self._admit(errand))
        self._admitting.add(admitting)
        admitting.add_done_callback(self._admitting.discard)
        await asyncio.shield(admitting)
        return job.id

    async def _admit(self, errand: Errand) -> None:
        """To its end, also when who submits it is cancelled: the job may be in the history already."""
        if not await self._accepted(errand):
            self._house.history.began(errand.record)
        if self._closed:
            await self._leave(errand)
        elif errand.job.cancel.is_set():
            self._end_unbegun(errand, Failed(Failure("cancelled", "The job was cancelled before it began.")))
        else:
            self._waiting.append(errand)
            self._pump()

    def check(self, input: Mapping[str, Any]) -> None:
        """Raises what a speak job would be refused for before anything is looked up or loaded."""
        SpeakRequest.parse(input)
        self._serves(input.get("model") or self._house.catalogue.default.id)

    async def page(self, query: Query) -> Page:
        """Jobs of the history, and as this process knows its own. `model` may be an alias."""
        found = await page(query, self._house)
        ours = (self._errands.get(record.id) for record in found.records)
        records = tuple(
            record if errand is None else errand.record for record, errand in zip(found.records, ours, strict=True)
        )
        return replace(found, records=records)

    async def begun(self, id: str) -> None:
        """Returns when the job has left the line, or ended in it. At once for one that this process does not run."""
        if (errand := self._errands.get(id)) is not None:
            await errand.begun.wait()

    async def watch(self, id: str, since: int = 0) -> AsyncGenerator[Event, None]:
        """Events from that number on, then as they come, up to `Done` or `Failed`. Any number of watchers.

        Of a job that this process does not run, only the end. Raises `not_found`.
        """
        if (errand := self._errands.get(id)) is not None:
            async with aclosing(errand.tape.play(since)) as events:
                async for event in events:
                    yield event
            return
        found = await self._elsewhere(id)
        yield Failed(found.error) if found.error is not None else Done(found.answer or {}, None, found.record.audio)

    async def _elsewhere(self, id: str) -> Result:
        """The end of a job that another process runs or ran."""
        while True:
            found = await self.result(id)
            if found is None:
                raise unknown(id)
            if not found.record.open:
                return found
            await asyncio.sleep(LOOK_SECONDS)

    def heard(self, id: str, since: int = 0) -> list[Event]:
        """What this process has of the job's events so far, from that number on: for those who poll."""
        errand = self._errands.get(id)
        return [] if errand is None else [errand.tape.at(place) for place in range(since, len(errand.tape))]

    async def result(self, id: str, wait_seconds: float = 0.0) -> Result | None:
        """How it stands, after waiting for its end up to so long. None for an id that nobody knows."""
        if (errand := self._errands.get(id)) is not None:
            if wait_seconds and not errand.tape.ended:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_seconds), aclosing(errand.tape.play(len(errand.tape))) as events:
                        async for _ in events:
                            pass
            return errand.result()
        record = await self._house.recall.ask(self._house.history.get, id)
        while record is not None and record.open and wait_seconds > 0:
            await asyncio.sleep(min(LOOK_SECONDS, wait_seconds))
            wait_seconds -= LOOK_SECONDS
            record = await self._house.recall.ask(self._house.history.get, id)
        return None if record is None else await self._house.recall.ask(self._finished.result, record)

    async def hear(self, id: str) -> Heard:
        """The job's sound, from the moment that it is done. Raises `not_found`."""
        errand = self._errands.get(id)
        if errand is None or errand.record.audio:
            record = errand.record if errand else await self._house.recall.ask(self._house.history.get, id)
            if record is None:
                raise unknown(id)
            return await hear(record, self._house)
        if errand.answer is None or errand.tape.sound is None:
            raise silent(errand.record)
        return of_file(errand.record, errand.tape.sound)

    async def cancel(self, id: str) -> bool:
        """Whether it is stopped, or whoever runs it has been asked to. False of a job that has ended."""
        if (errand := self._errands.get(id)) is not None:
            return self._cancel(errand)
        record = await self._house.recall.ask(self._house.history.get, id)
        if record is None:
            raise unknown(id)
        return record.open and await self._house.recall.ask(self._house.history.wish, id) is not None

    @property
    def waiting(self) -> int:
        """Jobs that have no place yet."""
        return len(self._waiting)

    async def drain(self, seconds: float | None = None) -> None:
        """Finishes what runs, up to so long (SHUTDOWN_SECONDS); what is left then is another process's to run."""
        self._closed = True
        for task in (self._claiming, self._claimed):
            if task is not None:
                task.cancel()
        if self._admitting:
            await asyncio.wait(self._admitting)
        self._waiting, left = deque(), list(self._waiting)
        if self._tasks:
            await asyncio.wait(
                self._tasks, timeout=self._house.settings.shutdown_seconds if seconds is None else seconds
            )
        left += [errand for errand in self._errands.values() if errand.task is not None and not errand.task.done()]
        for errand in left:
            errand.leaving = True
            if errand.task is not None:
                errand.task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for errand in left:
            await self._leave(errand)
        for errand in self._errands.values():
            errand.tape.discard()

    async def resume(self) -> int:
        """Takes jobs whose processes are gone, as many as there are places free. How many came in time: what a slow
        history gives out later is taken up then."""
        if self._claimed is None or self._claimed.done():
            self._claimed = asyncio.create_task(self._claim())
        await asyncio.wait({self._claimed}, timeout=self._accept_seconds)
        if not self._claimed.done():
            log.warning("claim_slow")
            return 0
        return self._claimed.result()

    async def _claim(self) -> int:
        free = self._places - len(self._tasks) - len(self._waiting)
        if free <= 0 or self._closed:
            return 0
        try:
            found = await self._house.recall.ask_for(None, self._house.history.claim, free)
        except Failure as failure:
            log.warning("claim_failed", extra={"code": failure.code})
            return 0
        for work in found:
            if work.id not in self._errands:
                await self._take_up(work)
        self._pump()
        return len(found)

    async def _accepted(self, errand: Errand) -> bool:
        """Whether another process could finish it. A history that hangs is not waited for each time."""
        now = self._house.clock.now
        if now() < self._doubted_until:
            return False
        accept = self._house.history.accept
        try:
            return await self._house.recall.ask_for(self._accept_seconds, accept, errand.record, work_of(errand.job))
        except Failure as failure:
            log.warning("not_accepted", extra={"job": errand.job.id, "code": failure.code})
            self._doubted_until = now() + DOUBT_SECONDS
            return False

    def _check_room(self) -> None:
        if self._closed or len(self._waiting) + len(self._admitting) >= self._room:
            why = "is shutting down" if self._closed else f"has {self._room:,} jobs waiting, the most it takes"
            raise Failure("busy", f"This server {why}.", hint="Try again in a few seconds.")

    async def _claim_again(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_SECONDS)
            await self.resume()

    async def _take_up(self, work: Work) -> None:
        record = await self._house.recall.ask(self._house.history.get, work.id)
        given = json.loads(work.input) if work.input else None
        left = record.place if record and "/" in record.place else ""
        batch, placed = record.batch if record else "", partial(self._placed, work.id)
        job = Job(work.id, given, batch=batch, accepted=True, wide=True, placed=placed, left=left)
        errand = self._take(Errand(job, record or asked(job, self._house, self._wall())))
        if not work.wanted:
            job.cancel.set()
        if (failure := hopeless(work)) is not None and not (left and job.cancel.is_set()):
            self._end_unbegun(errand, Failed(failure))
        else:
            log.info("resumed", extra={"job": work.id, "begun": work.begun})
            self._waiting.append(errand)

    def _take(self, errand: Errand) -> Errand:
        self._errands[errand.job.id] = errand
        self._house.held[errand.job.id] = partial(self._cancel, errand)
        return errand

    def _pump(self) -> None:
        while self._waiting and len(self._tasks) < self._places and not self._closed:
            errand = self._waiting.popleft()
            errand.task = asyncio.create_task(self._run(errand))
            self._tasks.add(errand.task)
            errand.task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background_broke", exc_info=error)
        self._pump()

    async def _run(self, errand: Errand) -> None:
        errand.begun.set()
        errand.record = running(errand.record, self._house, self._wall())
        if errand.job.left:
            errand.record = replace(errand.record, place=errand.job.left)
        self._house.history.began(errand.record, Stop(asyncio.get_running_loop(), partial(self._cancel, errand)))
        last: Done | Failed | None = None
        try:
            async with aclosing(self._perform(errand.job)) as events:
                async for event in events:
                    if isinstance(event, Done | Failed):
                        last = event
                    else:
                        self._hear(errand, event)
        except asyncio.CancelledError:
            if errand.leaving:
                return
        if last is None:
            last = Failed(Failure("cancelled", "The job was cancelled."))
        await asyncio.shield(self._finish(errand, last))

    def _placed(self, id: str, where: str) -> None:
        """Written before the job is heard of, so that a process after this one finds it there."""
        if (errand := self._errands.get(id)) is not None and not errand.tape.ended:
            errand.record = replace(errand.record, place=where)
            self._house.history.began(errand.record)

    def _hear(self, errand: Errand, event: Event) -> None:
        if isinstance(event, Started):
            errand.tape.restart()
            errand.record = replace(errand.record, model=event.model, voice=event.voice)
        errand.tape.put(event)

    async def _finish(self, errand: Errand, last: Done | Failed) -> None:
        """Watchers hear the end at once; the job is settled when its result is kept."""
        self._note(errand, last)
        self._house.history.ended(errand.record)
        if isinstance(last, Done):
            errand.record = replace(errand.record, audio=await self._finished.keep(errand, last))
        self._settle(errand)

    def _end_unbegun(self, errand: Errand, last: Failed) -> None:
        self._note(errand, last)
        self._house.history.ended(errand.record)
        self._settle(errand)

    def _note(self, errand: Errand, last: Done | Failed) -> None:
        errand.record = finished(errand.record, last, self._wall())
        if isinstance(last, Done):
            errand.answer = last.answer
        else:
            errand.error = last.error
        errand.ended = self._house.clock.now()
        errand.begun.set()
        self._house.held.pop(errand.job.id, None)
        errand.tape.put(last)

    def _settle(self, errand: Errand) -> None:
        self._house.history.settled(errand.job.id, errand.record.audio)
        for old in self._finished.put(errand):
            self._errands.pop(old.job.id, None)
            old.tape.discard()

    def _cancel(self, errand: Errand) -> bool:
        if errand.tape.ended:
            return False
        errand.job.cancel.set()
        if errand.task is not None:
            errand.task.cancel()
        elif errand in self._waiting:
            self._waiting.remove(errand)
            self._end_unbegun(errand, Failed(Failure("cancelled", "The job was cancelled before it began.")))
        return True

    async def _leave(self, errand: Errand) -> None:
        if errand.tape.ended:
            return
        self._house.held.pop(errand.job.id, None)
        errand.tape.put(Failed(Failure("busy", "The server is shutting down; the job is run again by the next one.")))
        with contextlib.suppress(Failure):  # the hold on it ends by itself
            await self._house.recall.ask(self._house.history.put_back, errand.record)


def unknown(id: str) -> Failure:
    return Failure("not_found", f"No job `{id[:64]}` is known here.", field="id")
