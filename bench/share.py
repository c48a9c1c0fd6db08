"""The worker's own time at 16 real-time streams, as a share of the engine's: `python -m bench share [hibari] [kokoro]`.

Processor time, by thread and by step. The engine's is the deck's thread within a turn, and all threads that are not
Python's; the rest is the worker's: choosing, mastering, encoding, the door, and the clients, who cost little. Hibari
speaks far faster than it plays; Kokoro's int8 network needs about as long as it plays, which is nearer to what people
deploy. It carries few listeners here, who then wait: what a second of sound costs is the same.
"""

import asyncio
import itertools
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from basics.settings import Settings
from bench.pairs import table
from bench.playback import Playback
from bench.realtime import client, one
from bench.steps import Account, Place, clocked
from models.runner import Runner
from operations import house as houses
from operations import speak
from speech.encoding import Encoder
from speech.joins import Joins
from speech.limiter import Limiter, Peaks
from speech.take import Take
from speech.trim import Trim
from tests.engines.weights import CACHE, kokoro

STREAMS, SECONDS = 16, 20.0
MODELS: Mapping[str, dict[str, str]] = {"hibari": {}, "kokoro": {"voice": "jf_alpha", "language": "en-us"}}
"""What each is asked besides."""
TURNS = "turns"
STEPS: Mapping[str, tuple[Place, ...]] = {
    TURNS: ((Runner, "_timed"),),
    "looking for peaks (four times the rate)": ((Peaks, "feed"), (Peaks, "finish")),
    "limiter, the rest": ((Limiter, "feed"), (Limiter, "finish")),
    "trim": ((Trim, "feed"), (Trim, "finish")),
    "joins": ((Joins, "feed"), (Joins, "end")),
    "encoder": ((Encoder, "__init__"), (Encoder, "feed"), (Encoder, "finish")),
    "the take, the rest": ((Take, "__init__"), (Take, "hear"), (Take, "finish"), (Take, "close")),
    "planning": ((speak, "planned"),),
}


@dataclass(frozen=True, slots=True)
class Share:
    """Seconds of the processor that went while so many seconds of sound were heard."""

    model: str
    streams: int
    sound: float
    engine: float
    own: dict[str, float]
    """The worker's, by step; what no step has is told by thread."""

    @property
    def worker(self) -> float:
        return sum(self.own.values())

    def row(self) -> list[str]:
        figures = [
            f"{self.sound:.0f}",
            f"{self.engine:.2f}",
            f"{self.worker:.2f}",
            f"{self.engine / self.sound * 1e3:.1f}",
        ]
        each = f"{self.worker / self.sound * 1e3:.2f}"
        return [self.model, str(self.streams), *figures, each, f"{self.worker / self.engine:.1%}"]

    def rows(self) -> list[list[str]]:
        """The dearest first."""
        return [
            [self.model, step, f"{seconds / self.sound * 1e3:.2f}", f"{seconds / self.engine:.2%}"]
            for step, seconds in sorted(self.own.items(), key=lambda item: -item[1])
        ]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of the processor since the process began."""

    whole: float
    threads: dict[threading.Thread, float]
    """Python's."""
    steps: dict[str, float]

    @classmethod
    def now(cls, account: Account) -> "Spent":
        alive = {thread: thread.ident for thread in threading.enumerate()}
        clocks = {thread: time.pthread_getcpuclockid(ident) for thread, ident in alive.items() if ident is not None}
        threads = {thread: time.clock_gettime(clock) for thread, clock in clocks.items()}
        return cls(time.process_time(), threads, account.seconds())

    def since(self, before: "Spent") -> "Spent":
        threads = {thread: seconds - before.threads.get(thread, 0.0) for thread, seconds in self.threads.items()}
        steps = {step: seconds - before.steps.get(step, 0.0) for step, seconds in self.steps.items()}
        return Spent(self.whole - before.whole, threads, steps)

    def of(self, prefix: str) -> float:
        """Of threads whose names begin so."""
        return sum(seconds for thread, seconds in self.threads.items() if thread.name.startswith(prefix))


async def share(model: str, streams: int = STREAMS, seconds: float = SECONDS) -> Share:
    with tempfile.TemporaryDirectory() as folder, clocked(STEPS) as account:
        settings = {"MODEL": model, "WEIGHTS_DIR": str(CACHE), "AUDIO_OUTPUT_DIR": folder, "VOICES": folder}
        house = houses.open(Settings.read(settings))
        try:
            await one(house, MODELS[model], "warm-up")
            before, heard = Spent.now(account), list[Playback]()
            until = time.monotonic() + seconds
            numbers = map(str, itertools.count())
            await asyncio.gather(
                *(client(lambda: one(house, MODELS[model], next(numbers)), until, heard) for _ in range(streams))
            )
            spent = Spent.now(account).since(before)
        finally:
            await house.close()
    return split(spent, Share(model, streams, sum(each.seconds for each in heard), 0.0, {}))


def split(spent: Spent, about: Share) -> Share:
    steps = dict(spent.steps)
    turns = steps.pop(TURNS, 0.0)
    deck, loop, python = spent.of("deck-"), spent.of("MainThread"), spent.of("")
    own = steps | {
        "choosing, giving out": deck - turns,
        "event loop, clients with it": loop,
        "other threads, the rest": python - deck - loop - sum(steps.values()),
    }
    return replace(about, engine=turns + max(0.0, spent.whole - python), own=own)


def main(*models: str, streams: int = STREAMS, seconds: float = SECONDS) -> str:
    if "kokoro" in models:
        kokoro()
    shares = [asyncio.run(share(model, streams, seconds)) for model in models or ("hibari",)]
    heads = ["model", "streams", "seconds of sound", "engine, s", "all else, s", "engine, ms a second of sound"]
    whole = table([*heads, "all else, ms", "of the engine's"], [each.row() for each in shares])
    parts = ["model", "what", "ms of the processor a second of sound", "of the engine's"]
    return f"{whole}\n\n{table(parts, [row for each in shares for row in each.rows()])}"


if __name__ == "__main__":
    print(main())
