"""A worker's shift on the queue: the jobs it holds, and how it leaves.

SIGTERM starts the leaving: nothing more is taken, what is held is finished within `seconds`, and whatever is not
done then is cancelled without an answer, so that RunPod gives it to another worker. A worker that failed to start
leaves by itself after a few jobs, where another host may do better. Knows tasks and signals, nothing of the SDK.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from basics.settings import VOLUME
from operations.job import Job
from operations.queue import Talk

log = logging.getLogger("worker.shift")

LOOK_SECONDS = 0.25
"""How often a leaving worker looks whether it is done; the SDK starts what it took within a tenth of a second."""
CLEAN_SECONDS = 2.0
"""For cancelled jobs to clean up, and for the house to close."""


class Shift:
    def __init__(
        self,
        places: int,
        seconds: float,
        close: Callable[[], Awaitable[None]] | None = None,
        *,
        taken: Callable[[], int] = lambda: 0,
        patience: tuple[int, float] | None = None,
        leave: Callable[[int], None] | None = None,
    ) -> None:
        """`patience`: jobs and seconds after which a worker that cannot work leaves. `taken`: what the SDK counts."""
        self._places = places
        self._seconds = seconds
        self.taken = taken
        self._close = close
        self._leave = leave or leave_at_once
        self._jobs: set[asyncio.Task[Any]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Task[None] | None = None
        self._begun = False
        self._patience = patience
        self._answered = 0

    def places(self, _current: int) -> int:
        """How many jobs the SDK may hold: a constant, since a change stops all taking until the worker is empty.

        That is why it changes once, when the worker leaves. The first call comes in the first turn of the SDK's
        loop, after it has installed its signal handlers; ours replace them, as its own lose what an open poll brings.
        """
        if not self._begun:
            self._begun = True
            self._begin(asyncio.get_running_loop())
        return self._places + (self._leaving is not None)

    def hold(self, job: Job, talk: Talk) -> None:
        """Called in the job's own task. When that task ends, in whatever way, the job lets go: here and only here."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a job is held by the task that answers it")
        self._jobs.add(task)
        task.add_done_callback(partial(self._over, job, talk))

    def end(self, code: int = 0) -> None:
        """Leave as soon as nothing is held. Called on the loop, any number of times."""
        if self._leaving is None:
            log.info("leaving", extra={"held": len(self._jobs), "code": code})
            self._leaving = asyncio.get_running_loop().create_task(self._wind_down(code))

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        if self._patience is not None:
            loop.call_later(self._patience[1], self.end, 1)

    def _over(self, job: Job, talk: Talk, task: "asyncio.Task[Any]") -> None:
        """Cancelling while the SDK posts reaches no `finally` of a generator: the road is closed from here."""
        job.cancel.set()
        self._jobs.discard(task)
        closing = asyncio.get_running_loop().create_task(talk.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        log.info("job", extra=_line(job, talk))
        self._answered += 1
        if self._patience is not None and self._answered >= self._patience[0]:
            self.end(1)

    async def _wind_down(self, code: int) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._emptied()
        except TimeoutError:
            log.warning("left_unfinished", extra={"held": len(self._jobs)})
            code = 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEAN_SECONDS):
                await self._let_go()
        self._leave(code)

    async def _emptied(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        while self._jobs or self._closing or self.taken():  # noqa: ASYNC110 the SDK's own count cannot be waited for
            await asyncio.sleep(LOOK_SECONDS)

    async def _let_go(self) -> None:
        """What is cancelled is not answered."""
        for task in tuple(self._jobs):
            task.cancel()
        if self._jobs:
            await asyncio.wait(tuple(self._jobs))
        await asyncio.sleep(0)
        if self._closing:
            await asyncio.wait(tuple(self._closing))
        if self._close is not None:
            await self._close()


def leave_at_once(code: int) -> None:
    """Without waiting for threads: a step on the card may take longer than the platform waits.

    The SDK's heartbeat is a process of its own, which would go on telling the platform that this worker lives.
    """
    for child in multiprocessing.active_children():
        child.terminate()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def fit() -> None:
    """Whether this host can keep a file; RunPod replaces a worker whose check raises."""
    await asyncio.to_thread(_keep_a_file)


def _keep_a_file() -> None:
    for folder in (Path(tempfile.gettempdir()), *filter(Path.is_dir, [VOLUME])):
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"speech")


def _line(job: Job, talk: Talk) -> dict[str, Any]:
    seconds = time.monotonic() - job.received
    return {"job": job.id, "op": _op(job), "outcome": talk.outcome, "seconds": round(seconds, 3), **talk.facts}


def _op(job: Job) -> str:
    """The operation's name, where it can be one: what a caller wrote is not logged."""
    asked = job.input.get("op", "speak") if isinstance(job.input, dict) else None
    return asked if isinstance(asked, str) and re.fullmatch("[a-z]{1,12}([.][a-z]{1,12})?", asked) else "unknown"
