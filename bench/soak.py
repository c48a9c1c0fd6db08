"""A long, disorderly day on one worker: `python -m bench.soak [seconds] [seed]`.

Streams, files, callers who cancel, hang up or read slowly, requests that are wrong and lines that fail, on two
models that come and go. Every job must end in exactly one way, nothing may stay behind, and memory and threads must
be flat. Run it with MALLOC_ARENA_MAX=2, as the image does: with an arena a thread the C library keeps what was freed.
"""

import asyncio
import gc
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from basics.events import Done, Event, Failed
from basics.settings import Settings
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job

AT_ONCE = 12
PAUSE_SECONDS = 2.0
"""Of all work, now and then, so that idle models leave."""
TEXTS = (
    "Yes.",
    "The harbour was quiet when the first boats came in.",
    "The harbour was quiet when the first boats came in. A woman in grey counted the crates. By noon the fog had gone.",
)
WRONG: tuple[dict[str, Any], ...] = (
    {"text": ""},
    {"text": "Yes.", "voice": "nobody"},
    {"text": "Yes.", "model": "nothing"},
    {"text": "[pause:99] Yes."},
    {"text": "Yes.", "colour": "green"},
    {"op": "speek"},
)
LEAK_MB, LEAK_THREADS = 40.0, 4
"""That a process may grow by without a leak: the allocator's and the codecs' caches, models that just came back."""
STRETCHES = 12
"""Under which nothing is said about memory: caches are still filling."""


@dataclass
class Record:
    """What happened."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lag: float = 0.0
    memory_mb: list[float] = field(default_factory=list)
    """After each stretch, with nobody left in the worker."""
    threads: list[int] = field(default_factory=list)

    @property
    def grown_mb(self) -> float:
        """From the second third to the last: the first fills caches."""
        return _growth(self.memory_mb)


def asked(chance: random.Random) -> tuple[str, dict[str, Any]]:
    """A caller's manner, and the input."""
    manner = chance.choice(["reads"] * 5 + ["slow", "hangs up", "cancels", "wrong", "fails"])
    if manner == "wrong":
        return manner, dict(chance.choice(WRONG))
    texts = TEXTS[1:] if manner == "fails" else TEXTS  # One that ends before its fault does not fail.
    given: dict[str, Any] = {"text": chance.choice(texts), "take": chance.randrange(1000), "loudness": -16}
    given["model"] = "tone" if manner == "fails" else chance.choice(["tone", "tone", "hibari"])
    if manner == "fails":
        given["params"] = {"fail_after": chance.choice([0.0, 0.5])}
    given["delivery"] = chance.choice(["stream", "inline"])
    given["format"] = chance.choice(["pcm", "wav", "mp3", "opus", "flac"])
    return manner, given


async def one(house: House, number: int, chance: random.Random, record: Record) -> None:
    manner, given = asked(chance)
    events: list[Event] = []
    reading = asyncio.create_task(_read(answer(Job(f"job-{number}", given), house), manner, chance, events))
    if manner == "cancels":
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        reading.cancel()
    await asyncio.wait([reading])
    left = manner in ("cancels", "hangs up")
    error = None if reading.cancelled() else reading.exception()
    ends = [event for event in events if isinstance(event, Done | Failed)]
    if error is not None:
        record.faults.append(f"{manner}: raised {type(error).__name__}")
    elif len(ends) != 1 and not (left and not ends):
        record.faults.append(f"{manner}: ended {len(ends)} times")
    elif ends and isinstance(ends[0], Failed) != (manner in ("wrong", "fails")):
        record.faults.append(f"{manner}: {ends[0] if isinstance(ends[0], Failed) else 'done'}")
    record.ends[f"{manner}: {type(ends[0]).__name__.lower() if ends else 'left'}"] += 1


async def _read(road: AsyncGenerator[Event, None], manner: str, chance: random.Random, into: list[Event]) -> None:
    enough = chance.randrange(4)
    async with aclosing(road) as events:
        async for event in events:
            into.append(event)
            if manner == "hangs up" and len(into) > enough:
                return
            if manner == "slow":
                await asyncio.sleep(chance.uniform(0.0, 0.5))


async def soak(seconds: float, seed: int, folder: Path) -> Record:
    environment = {
        "MODEL": "tone",
        "PRELOAD": "tone,hibari",
        "IDLE_UNLOAD": "1",
        "AUDIO_OUTPUT_DIR": str(folder),
        "VOICES": str(folder),
    }
    house = houses.open(Settings.read(environment))
    record, chance = Record(), random.Random(seed)
    began, numbers = time.monotonic(), 0
    try:
        while time.monotonic() - began < seconds:
            until = time.monotonic() + min(max(2.0, seconds / 20), 20.0)
            jobs: set[asyncio.Task[None]] = set()
            while time.monotonic() < until:
                if len(jobs) >= AT_ONCE:
                    _, jobs = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
                numbers += 1
                jobs.add(asyncio.create_task(one(house, numbers, random.Random(chance.random()), record)))
                await asyncio.sleep(chance.expovariate(20.0))
            await asyncio.wait(jobs)
            record.lag = max(record.lag, house.lag.worst)
            if chance.random() < 0.5:
                await asyncio.sleep(PAUSE_SECONDS)
            await _rest(house, record)
            record.memory_mb.append(resident_mb())
            record.threads.append(_threads(house))
    finally:
        await house.close()
    return judged(record)


async def _rest(house: House, record: Record) -> None:
    """Nobody is left in the worker once all callers are gone."""
    for _ in range(200):
        if not house.running and not any(info["lines"] for info in house.manager.residents()):
            return
        await asyncio.sleep(0.05)
    record.faults.append("lines stayed behind")


def _threads(house: House) -> int:
    """All but those of the models that are in memory just now."""
    models = [str(info["model"]) for info in house.manager.residents()]
    return sum(not any(model in thread.name for model in models) for thread in threading.enumerate())


def judged(record: Record) -> Record:
    if record.grown_mb > LEAK_MB and len(record.memory_mb) >= STRETCHES:
        record.faults.append(f"memory grew by {record.grown_mb:.0f} MB")
    if _growth(record.threads) > LEAK_THREADS:
        record.faults.append(f"{_growth(record.threads):.0f} more threads")
    return record


def _growth(figures: Sequence[float]) -> float:
    third = len(figures) // 3
    return median(figures[-third:]) - median(figures[third : 2 * third]) if third else 0.0


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else 1200.0
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    with tempfile.TemporaryDirectory() as folder:
        record = asyncio.run(soak(seconds, seed, Path(folder)))
    print(f"{sum(record.ends.values())} jobs in {seconds:g} s, seed {seed}\n")
    for end, count in sorted(record.ends.items()):
        print(f"- {end}: {count}")
    print("- memory in MB:", *(round(mb) for mb in record.memory_mb))
    print(f"- memory {record.grown_mb:+.1f} MB, threads {_growth(record.threads):+.0f}")
    print(f"- loop lag at most {record.lag * 1000:.0f} ms")
    for fault in record.faults[:20]:
        print(f"- FAULT {fault}")
    return bool(record.faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
