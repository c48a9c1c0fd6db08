"""A long, disorderly day on one worker: `python -m bench.soak [seconds] [seed] [manner ...]`.

Streams, files, callers who cancel, hang up or read slowly, requests that are wrong and lines that fail, on two
models that come and go. Every job must end in exactly one way, nothing may stay behind, and memory and threads must
be flat. With manners named, only such callers come, so that a growth can be laid at somebody's door. Run it with
MALLOC_ARENA_MAX=2, as the image does: with an arena a thread the C library keeps what was freed.
"""

import asyncio
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
from typing import Any

from basics.events import Done, Event, Failed
from basics.settings import Settings
from bench.memory import Memory, growth
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
MANNERS = ("reads",) * 5 + ("slow", "hangs up", "cancels", "wrong", "fails")
"""The first five times as often as each other."""
LEAK_THREADS = 4
MOST = {"resident": 40.0, "in_use": 5.0, "objects": 20.0}
"""MB, and thousands of objects, that memory may grow by without a leak: codecs' and threads' caches, and of what is
resident also what the C library keeps, which goes up and down by more than that and is nobody's."""
STRETCHES = 12
"""Under which nothing is said about memory: caches are still filling."""


@dataclass
class Record:
    """What happened."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lag: float = 0.0
    memory: list[Memory] = field(default_factory=list)
    """After each stretch, with nobody left in the worker, no model either."""
    threads: list[int] = field(default_factory=list)

    def of(self, figure: str) -> list[float]:
        """One of memory's figures, stretch by stretch."""
        return [getattr(each, figure) for each in self.memory]

    def grown(self, figure: str) -> float:
        return growth(self.of(figure))


def asked(chance: random.Random, manners: Sequence[str] = MANNERS) -> tuple[str, dict[str, Any]]:
    """A caller's manner, and the input."""
    manner = chance.choice(manners)
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


async def one(house: House, number: int, chance: random.Random, record: Record, manners: Sequence[str]) -> None:
    manner, given = asked(chance, manners)
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


async def soak(seconds: float, seed: int, folder: Path, manners: Sequence[str] = MANNERS) -> Record:
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
                jobs.add(asyncio.create_task(one(house, numbers, random.Random(chance.random()), record, manners)))
                await asyncio.sleep(chance.expovariate(20.0))
            await asyncio.wait(jobs)
            record.lag = max(record.lag, house.lag.worst)
            if chance.random() < 0.5:
                await asyncio.sleep(PAUSE_SECONDS)
            await _rest(house, record)
            record.memory.append(await asyncio.to_thread(Memory.now))
            record.threads.append(_threads(house))
    finally:
        await house.close()
    return judged(record)


async def _rest(house: House, record: Record) -> None:
    """Nobody is left in the worker once all callers are gone, and no model: memory is what they left behind."""
    for _ in range(200):
        if not house.running and not house.manager.residents():
            return
        await asyncio.sleep(0.05)
    lines = any(info["lines"] for info in house.manager.residents())
    record.faults.append("lines stayed behind" if lines or house.running else "an idle model stayed")


def _threads(house: House) -> int:
    """All but those of the models that are in memory just now."""
    models = [str(info["model"]) for info in house.manager.residents()]
    return sum(not any(model in thread.name for model in models) for thread in threading.enumerate())


def judged(record: Record) -> Record:
    """Of a short day nothing is said about memory."""
    if len(record.memory) >= STRETCHES:
        grown = {figure: record.grown(figure) for figure in MOST}
        record.faults += [
            f"{name} grew by {more:.0f} {FIGURES[name]}" for name, more in grown.items() if more > MOST[name]
        ]
    if growth(record.threads) > LEAK_THREADS:
        record.faults.append(f"{growth(record.threads):.0f} more threads")
    return record


FIGURES = {"resident": "MB", "in_use": "MB", "kept": "MB", "objects": "thousand"}
"""What is told of memory."""


def told(record: Record) -> list[str]:
    """Memory's figures stretch by stretch; growth is from the second third to the last."""
    lines = []
    for figure, unit in FIGURES.items():
        lines.append(f"- {figure}, {unit}: {' '.join(f'{each:.0f}' for each in record.of(figure))}")
        lines.append(f"  - grown by {record.grown(figure):+.1f} {unit}")
    return [*lines, f"- threads {growth(record.threads):+.0f}", f"- loop lag at most {record.lag * 1000:.0f} ms"]


def main(arguments: list[str]) -> int:
    seconds = float(arguments[0]) if arguments else 1200.0
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    with tempfile.TemporaryDirectory() as folder:
        record = asyncio.run(soak(seconds, seed, Path(folder), arguments[2:] or MANNERS))
    print(f"{sum(record.ends.values())} jobs in {seconds:g} s, seed {seed}\n")
    for end, count in sorted(record.ends.items()):
        print(f"- {end}: {count}")
    print(*told(record), sep="\n")
    print(f"- resident once the C library gave back what it kept: {Memory.given_back().resident:.0f} MB")
    for fault in record.faults[:20]:
        print(f"- FAULT {fault}")
    return bool(record.faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
