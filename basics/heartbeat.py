"""A sign of life for the image's HEALTHCHECK: a file touched from the worker's own event loop.

A loop that hangs stops touching it, in queue mode as under HTTP. It says that the worker moves, not that a
model is loaded: `system.health` knows that.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

EVERY = 10.0
"""Seconds between two touches."""
STALE = 60.0
"""Seconds without one after which the worker counts as hung; longer than any step that holds the loop."""


async def beat(path: Path, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Touches until cancelled, then takes the file away. A full or read-only disk only costs the sign of life."""
    try:
        while True:
            touch(path)
            await sleep(EVERY)
    finally:
        remove(path)


def touch(path: Path) -> bool:
    try:
        path.touch()
    except OSError:
        return False
    return True


def remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def alive(path: Path, now: float | None = None) -> bool:
    """Whether the file was touched within the last minute of the wall clock."""
    try:
        age = (time.time() if now is None else now) - path.stat().st_mtime
    except OSError:
        return False
    return age <= STALE
