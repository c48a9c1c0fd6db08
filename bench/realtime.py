"""Clients that play in real time, all in one event loop, against the real road: `python -m bench realtime`.

Each asks for a stream of PCM, plays from its first sound on, and asks again when it has heard all. A client counts
where no silence is over 20 ms. The clients' own loop is watched beside them: a run in which it was more than 5 ms
late measures this machine and not the worker, and is void. So it needs a quiet one, with a core for the clients.

`python -m bench.realtime lone` asks for long sentences only, by one listener at a time: there whole lines come late.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import aclosing

from basics.events import Audio, Failed
from basics.settings import Settings
from bench.pairs import table
from bench.playback import Playback
from bench.stage import GAP_SECONDS
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job
from tests.engines.weights import CACHE

TEXT = (
    "The harbour was quiet when the first boats came in, and nobody on the quay said a word. By noon the fog had "
    "gone, and the town by the water looked very much like itself again."
)
LONG = (
    "By noon the fog had gone, and the old woman who had lived in the white house by the harbour since the end of the "
    "war went down to the quay to look at the boats that came in from the islands. Nobody had ever asked her what she "
    "was waiting for, and nobody in the little town would have dared to, because her temper was as well known as the "
    "lighthouse by the northern pier. One day in the early spring a young man with a brown leather suitcase walked "
    "past her without a word and took the small ferry to the north."
)
"""A short clause, and a sentence behind it that plays ten seconds."""
STREAMS = (1, 4, 8, 16)
SECONDS = 20.0
LATE_SECONDS, BEAT_SECONDS = 0.005, 0.01


async def one(house: House, asked: dict[str, str], number: str) -> Playback:
    playback = Playback(time.monotonic())
    job = Job(number, {"text": TEXT, "delivery": "stream", "format": "pcm", "cache": False} | asked)
    async with aclosing(answer(job, house)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if not isinstance(event, Audio):
                continue
            playback.hear(event.duration, time.monotonic())
    await asyncio.sleep(max(0.0, playback.end - time.monotonic()))
    return playback


async def client(house: House, asked: dict[str, str], name: str, until: float, into: list[Playback]) -> None:
    number = 0
    while time.monotonic() < until:
        number += 1
        into.append(await one(house, asked, f"{name}-{number}"))


async def beat(worst: list[float]) -> None:
    """How late this loop was at most."""
    while True:
        due = time.monotonic() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        worst[0] = max(worst[0], time.monotonic() - due)


async def run(house: House, asked: dict[str, str], streams: int, seconds: float) -> tuple[list[Playback], float]:
    heard, worst = list[Playback](), [0.0]
    watch = asyncio.create_task(beat(worst))
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(house, asked, str(number), until, heard) for number in range(streams)))
    watch.cancel()
    return heard, worst[0]


async def measured(model: str, asked: dict[str, str], streams: Sequence[int], seconds: float) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"MODEL": model, "WEIGHTS_DIR": str(CACHE), "AUDIO_OUTPUT_DIR": folder, "VOICES": folder}
        house = houses.open(Settings.read(settings))
        try:
            await one(house, asked, "warm-up")
            return [row(model, count, *await run(house, asked, count, seconds)) for count in streams]
        finally:
            await house.close()


def row(model: str, streams: int, heard: Sequence[Playback], late: float) -> list[str]:
    firsts = sorted(each.first or 0.0 for each in heard)
    return [
        model,
        str(streams),
        f"{sum(each.gap <= GAP_SECONDS for each in heard)} of {len(heard)}",
        f"{max(each.gap for each in heard) * 1000:.0f}",
        f"{firsts[len(firsts) // 2] * 1000:.0f}",
        f"{firsts[min(len(firsts) - 1, int(len(firsts) * 0.95))] * 1000:.0f}",
        f"{late * 1000:.1f}",
        "void" if late > LATE_SECONDS else "yes",
    ]


KOKORO = {"voice": "jf_alpha", "language": "en-us"}


def main(streams: Sequence[int] = STREAMS, seconds: float = SECONDS) -> str:
    rows = asyncio.run(measured("hibari", {}, streams, seconds))
    if (CACHE / "kokoro").is_dir():
        rows += asyncio.run(measured("kokoro", KOKORO, streams, seconds))
    return told(rows)


def lone(seconds: float = SECONDS) -> str:
    rows = asyncio.run(measured("hibari", {"text": LONG}, (1,), seconds))
    if (CACHE / "kokoro").is_dir():
        rows += asyncio.run(measured("kokoro", KOKORO | {"text": LONG}, (1,), seconds))
    return told(rows)


def told(rows: list[list[str]]) -> str:
    heads = ["model", "streams", "without a gap over 20 ms", "longest gap, ms", "first audio p50, ms", "p95, ms"]
    return table([*heads, "clients late at most, ms", "counts"], rows)


if __name__ == "__main__":
    print(lone() if sys.argv[1:] == ["lone"] else main())
