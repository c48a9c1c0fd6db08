"""The worker's own time at 16 real-time streams, as a share of the engine's: `python -m bench share`.

Processor time by thread. The engine's is that of the threads that are not Python's, and of the deck's thread while
a turn runs; all the rest (choosing, mastering, encoding, the door, and the clients, who cost little) is the worker's.
Needs a quiet machine: a turn's time is taken from the clock on the wall.
"""

import asyncio
import os
import tempfile
import threading
import time
from pathlib import Path

from basics.settings import Settings
from bench.pairs import table
from bench.realtime import one, run
from operations import house as houses

STREAMS, SECONDS = 16, 20.0
TICKS = os.sysconf("SC_CLK_TCK")


def by_thread() -> dict[int, float]:
    """Seconds of processor time, by the system's number of the thread."""
    spent = {}
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        spent[int(task.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    return spent


async def shares(model: str, streams: int, seconds: float) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        house = houses.open(Settings.read({"MODEL": model, "AUDIO_OUTPUT_DIR": folder, "VOICES": folder}))
        try:
            await one(house, {}, "warm-up")
            turning, spent, whole = _turning(house), by_thread(), time.process_time()
            heard, _ = await run(house, {}, streams, seconds)
            turning, whole = _turning(house) - turning, time.process_time() - whole
            more = {id: now - spent.get(id, 0.0) for id, now in by_thread().items()}
        finally:
            names = {thread.native_id: thread.name for thread in threading.enumerate()}
            await house.close()
    deck = sum(took for id, took in more.items() if names.get(id, "").startswith("deck-"))
    engine = min(deck, turning) + sum(took for id, took in more.items() if id not in names)
    choosing = max(0.0, deck - turning)
    sound = sum(each.seconds for each in heard)
    figures = [whole, engine, choosing, whole - engine]
    percents = [f"{choosing / engine:.1%}", f"{(whole - engine) / engine:.1%}"]
    return [model, str(streams), f"{sound:.0f}", *(f"{figure:.2f}" for figure in figures), *percents]


def _turning(house: houses.House) -> float:
    """Seconds that turns took."""
    return float(sum(info["busy_seconds"] for info in house.manager.residents()))


def main(streams: int = STREAMS, seconds: float = SECONDS) -> str:
    heads = ["model", "streams", "seconds of sound", "processor time, s", "engine, s", "choosing, s"]
    heads += ["all but the engine, s", "choosing, of the engine's", "all, of the engine's"]
    return table(heads, [asyncio.run(shares("hibari", streams, seconds))])


if __name__ == "__main__":
    print(main())
