"""(a) What the worker adds to the bare engine, in one process: first audio, and all of it.

The bare engine gives its first sentence and then the rest, unmastered and unencoded. Ours is asked for a stream
and for a file, from the request to the last event.
"""

import asyncio
import time
from functools import partial
from typing import Any

from basics.events import Audio, Done
from basics.settings import Settings
from bench.pairs import Pairs, in_turn, table
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job

TEXT = (
    "The harbour was quiet when the first boats came in, and nobody on the quay said a word. A woman in a grey coat "
    "counted the crates as they were lifted out. By noon the fog had gone, and the town looked like itself again."
)
ASKED = {
    "pcm stream": {"delivery": "stream", "format": "pcm"},
    "mp3 stream": {"delivery": "stream", "format": "mp3"},
    "opus stream": {"delivery": "stream", "format": "opus"},
    "wav file": {"format": "wav"},
    "mp3 file": {"format": "mp3"},
}


async def ours(house: House, asked: dict[str, str]) -> list[float]:
    began = time.perf_counter()
    first = None
    async for event in answer(Job("bench", {"text": TEXT, "loudness": -16} | asked), house):
        if isinstance(event, Audio | Done) and first is None:
            first = time.perf_counter() - began
    return [first or 0.0, time.perf_counter() - began]


def bare(engine: Any) -> list[float]:
    began = time.perf_counter()
    first = None
    for _ in engine.stream(TEXT, seed=0):
        first = first or time.perf_counter() - began
    return [first or 0.0, time.perf_counter() - began]


async def measured() -> dict[str, list[Pairs]]:
    from hibari import Hibari  # type: ignore[import-untyped]

    engine = Hibari(threads=1)
    house = houses.open(Settings.read({}))
    try:
        await house.manager.warm("hibari")
        return {
            name: await in_turn(partial(ours, house, asked), partial(asyncio.to_thread, bare, engine))
            for name, asked in ASKED.items()
        }
    finally:
        await house.close()


def main() -> str:
    rows = []
    for name, (first, total) in asyncio.run(measured()).items():
        streams = "stream" in name
        rows.append(
            [
                name,
                first.difference.told(1000) if streams else "",
                total.difference.told(1000),
                total.ratio.told(digits=2),
                "yes" if total.certain else "no",
            ]
        )
    return table(["asked for", "first audio, ms more", "in all, ms more", "in all, times bare", "certain"], rows)


if __name__ == "__main__":
    print(main())
