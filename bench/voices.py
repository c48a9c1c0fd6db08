"""A library of 200 voices: how long a fresh worker's first list takes, a list from memory, and a voice used again."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from store.bucket import Bucket
from store.folder import Folder
from store.objects import Objects
from tests.store.seaweed import running
from tests.voices.recordings import record, reference
from voices.library import Library

VOICES = 200
SECONDS = 10.0
"""Of each recording."""
ROUNDS = 15


def main() -> str:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        bucket = server.config(server.make("voices"))
        rows = [
            _row("folder", lambda: Folder(Path(folder) / "voices")),
            _row("bucket on loopback (SeaweedFS)", lambda: Bucket(bucket)),
        ]
    head = "| place | first list | list from memory | voice, first use | voice, used again |\n|---|---|---|---|---|\n"
    return f"{VOICES} voices of {SECONDS:g} s; median (least to most) of {ROUNDS}.\n\n{head}" + "\n".join(rows)


def _row(name: str, place: Callable[[], Objects]) -> str:
    asyncio.run(_filled(place()))
    rounds = [asyncio.run(_round(place(), number)) for number in range(ROUNDS)]
    return f"| {name} | " + " | ".join(_told(times) for times in zip(*rounds, strict=True)) + " |"


async def _filled(objects: Objects) -> None:
    voices, sound = Library(objects), reference(300, SECONDS)
    await asyncio.gather(*(voices.create(record(f"voice-{number}"), sound) for number in range(VOICES)))


async def _round(objects: Objects, number: int) -> tuple[float, ...]:
    """Each in a worker that has just begun."""
    voices = Library(objects)
    id = f"voice-{number}"
    return (
        await _timed(voices.records),
        await _timed(voices.records),
        await _timed(lambda: voices.get(id)),
        await _timed(lambda: voices.get(id)),
    )


async def _timed(what: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await what()
    return time.perf_counter() - begun


def _told(times: tuple[float, ...]) -> str:
    return f"{statistics.median(times) * 1e3:.2f} ms ({min(times) * 1e3:.2f} to {max(times) * 1e3:.2f})"
