"""A job's way to its endpoint. What a process before this one had sent there is followed, not sent again.

One that nobody waits for any more is cancelled there, behind the caller's back and within a bound; an accepted one,
whose sound was not begun, is left there for the process that comes after this one.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Event
from operations.job import Job
from server.endpoint import Endpoint
from server.remote import Pace, Patience, Remote

log = logging.getLogger("worker.deployed")

CANCEL_SECONDS = 15.0
"""In which the platform is told that nobody wants a job."""
PATIENT_TRIES = 100
"""For jobs that nobody waits for: eight minutes of a platform that does not answer."""
MOST_SENT = 3
"""Times that such a job is sent, where its worker or a part of its sound was lost: it begins anew each time."""
PATIENT_SECONDS = 86_400.0
"""A day, after which the platform forgets a job that no worker took."""


class Sending:
    def __init__(self, pace: Pace, patience: Patience) -> None:
        self._pace, self._patience = pace, patience
        self._behind: set[asyncio.Task[None]] = set()

    async def events(self, job: Job, endpoint: Endpoint, body: dict[str, Any]) -> AsyncGenerator[Event, None]:
        left = job.left.removeprefix(f"{endpoint.id}/") if job.left.startswith(f"{endpoint.id}/") else ""
        if job.cancel.is_set():
            self._let_go(self._remote(job, endpoint, body, left))
            raise Failure("cancelled", "The job was cancelled.")
        if left:
            lost = True
            async with aclosing(self._taken_up(self._remote(job, endpoint, body, left))) as events:
                async for event in events:
                    lost = False
                    yield event
            if not lost:
                return
            log.info("sent_again", extra={"job": job.id})
        for more in reversed(range(MOST_SENT if job.accepted else 1)):
            try:
                async with aclosing(self._heard(self._remote(job, endpoint, body))) as events:
                    async for event in events:
                        yield event
                return
            except Failure as failure:
                if not more or not _is_broken(failure):
                    raise
            log.info("sent_again", extra={"job": job.id})

    async def close(self) -> None:
        if self._behind:
            await asyncio.wait(self._behind, timeout=CANCEL_SECONDS)
        for task in self._behind:
            task.cancel()

    def _remote(self, job: Job, endpoint: Endpoint, body: dict[str, Any], left: str = "") -> Remote:
        if not job.accepted:
            return Remote(job, endpoint, body, self._pace, self._patience, left)
        patience = Patience(PATIENT_SECONDS, self._patience.work_seconds)
        return Remote(job, endpoint, body, self._pace, patience, left, PATIENT_TRIES)

    async def _taken_up(self, remote: Remote) -> AsyncGenerator[Event, None]:
        """Nothing where it is gone, or a part of its sound: it is then to be spoken once more."""
        begun = False
        try:
            async with aclosing(self._heard(remote)) as events:
                async for event in events:
                    if not begun and _is_part(event):
                        return
                    begun = True
                    yield event
        except Failure as failure:
            if begun or not (failure.code == "not_found" or _is_broken(failure)):
                raise

    async def _heard(self, remote: Remote) -> AsyncGenerator[Event, None]:
        job, wanted = remote.job, False
        try:
            async with aclosing(remote.events(twice=bool(remote.body["input"].get("key")))) as events:
                async for event in events:
                    yield event
        except asyncio.CancelledError:
            left = job.accepted and not job.cancel.is_set()
            wanted = left and remote.rests
            if left and not wanted:
                job.placed("")
            raise
        finally:
            if not (remote.over or wanted):
                self._let_go(remote)

    def _let_go(self, remote: Remote) -> None:
        task = asyncio.ensure_future(_abandoned(remote))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _is_broken(failure: Failure) -> bool:
    """Whether its worker, or a part of its sound, was lost on the way."""
    return failure.code == "internal" and failure.retryable


def _is_part(event: Event) -> bool:
    """Whether what came before it is gone: the platform tells each part of a stream once."""
    if isinstance(event, Audio):
        return True
    if not isinstance(event, Done) or event.data is not None:
        return False
    audio = event.answer.get("audio")
    return isinstance(audio, Mapping) and bool(audio.get("bytes")) and not (audio.get("url") or audio.get("path"))


async def _abandoned(remote: Remote) -> None:
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            await remote.abandon()
    except (Failure, TimeoutError) as error:
        log.warning("cancel_lost", extra={"why": error.code if isinstance(error, Failure) else "timed_out"})
    finally:
        if remote.submitted is not None:
            remote.submitted.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await remote.submitted
