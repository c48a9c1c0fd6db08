"""How late an event loop is: what it was to do now and did later. A loop that computes makes every listener wait.

It looks while `watch` is asked for, by whoever has work on that loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable

EVERY_SECONDS = 0.25
KEPT = 240
"""Looks remembered: the last minute of work."""


class Lag:
    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=KEPT)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def worst(self) -> float:
        """Seconds, of the last minute that was watched."""
        return max(self._seen, default=0.0)

    def watch(self, needed: Callable[[], bool]) -> None:
        """On the running loop, as long as `needed` says so. Any number of times."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._loop.is_closed():
            self._loop = loop
            self._again(loop, needed)

    def _again(self, loop: asyncio.AbstractEventLoop, needed: Callable[[], bool]) -> None:
        loop.call_later(EVERY_SECONDS, self._look, loop, needed, loop.time() + EVERY_SECONDS)

    def _look(self, loop: asyncio.AbstractEventLoop, needed: Callable[[], bool], due: float) -> None:
        self._seen.append(max(0.0, loop.time() - due))
        if self._loop is loop and needed():
            self._again(loop, needed)
        elif self._loop is loop:
            self._loop = None
