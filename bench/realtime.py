"""Clients that play in real time, against the server in a process of its own: `python -m bench realtime`.

All in one event loop. Each asks for a stream of PCM over HTTP, plays from its first sound on, and asks again when it
has heard all. A client counts where no silence is over 20 ms. The clients' loop is watched beside them: a run in which
it was more than 5 ms late measures this machine and not the worker, and is void; the first row is of a loop that has
nothing to do. Clients stand for other machines, so that where it is allowed they go before the server.

`python -m bench.realtime lone` asks for long sentences only, by one listener at a time: there whole lines come late.
"""

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx

from basics.events import Audio, Failed
from bench.pairs import table
from bench.playback import Playback
from bench.stage import GAP_SECONDS
from operations.answer import answer
from operations.house import House
from operations.job import Job
from tests.engines.weights import CACHE
from tests.server.processes import process

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
STREAMS, FEW = (1, 4, 8, 16), (1, 2)
"""Two cores carry about two listeners of Kokoro."""
SECONDS, RATE = 20.0, 24_000
PRIORITY = -10
AGAIN_SECONDS = 0.2
LATE_SECONDS, BEAT_SECONDS = 0.005, 0.01


async def one(house: House, asked: dict[str, str], number: str) -> Playback:
    """In this process, without a server."""
    playback = Playback(time.monotonic())
    job = Job(number, {"text": TEXT, "delivery": "stream", "format": "pcm", "cache": False} | asked)
    async with aclosing(answer(job, house)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Audio):
                playback.hear(event.duration, time.monotonic())
    return await heard_out(playback)


async def over_http(server: httpx.AsyncClient, asked: dict[str, str]) -> Playback:
    """Who is refused asks again; its first sound is late by that."""
    playback = Playback(time.monotonic())
    body = {"input": TEXT, "response_format": "pcm"} | asked
    while playback.first is None:
        async with server.stream("POST", "/v1/audio/speech", json=body) as reply:
            if reply.status_code != httpx.codes.TOO_MANY_REQUESTS:
                reply.raise_for_status()
                async for part in reply.aiter_raw():
                    playback.hear(len(part) / 2 / RATE, time.monotonic())
        if playback.first is None:
            await asyncio.sleep(AGAIN_SECONDS)
    return await heard_out(playback)


async def heard_out(playback: Playback) -> Playback:
    await asyncio.sleep(max(0.0, playback.end - time.monotonic()))
    return playback


async def client(ask: Callable[[], Awaitable[Playback]], until: float, into: list[Playback]) -> None:
    while time.monotonic() < until:
        into.append(await ask())


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """How late this loop was at most."""
    worst = [0.0]

    async def beat() -> None:
        while True:
            due = time.monotonic() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            worst[0] = max(worst[0], time.monotonic() - due)

    watch = asyncio.create_task(beat())
    try:
        yield worst
    finally:
        watch.cancel()


async def run(
    server: httpx.AsyncClient, asked: dict[str, str], streams: int, seconds: float
) -> tuple[list[Playback], float]:
    heard, until = list[Playback](), time.monotonic() + seconds
    async with watched() as worst:
        await asyncio.gather(*(client(partial(over_http, server, asked), until, heard) for _ in range(streams)))
    return heard, worst[0]


async def idle(seconds: float) -> list[str]:
    """As late as this machine makes a loop that has nothing to do."""
    async with watched() as worst:
        await asyncio.sleep(seconds)
    return ["none", "0", "-", "-", "-", "-", f"{worst[0] * 1000:.1f}", "-"]


async def measured(model: str, asked: dict[str, str], streams: Sequence[int], seconds: float) -> list[list[str]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        settings = {"MODE": "http", "MODEL": model, "WEIGHTS_DIR": str(CACHE)}
        with process(Path(folder), "handler.py", **settings) as (_, addresses), ahead():
            async with httpx.AsyncClient(base_url=addresses[0], timeout=600, trust_env=False) as server:
                await over_http(server, asked)
                for count in streams:
                    rows.append(row(model, count, *await run(server, asked, count, seconds)))
                    sys.stderr.write(f"{' '.join(rows[-1])}\n")
    return rows


@contextmanager
def ahead() -> Iterator[None]:
    """This process goes before others, where the machine lets it, and is not held up by its own garbage."""
    gc.collect()
    gc.disable()
    was = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, was)
        gc.enable()


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


HIBARI = {"model": "hibari", "voice": "heart"}
KOKORO = {"model": "kokoro", "voice": "jf_alpha", "language": "en-us"}


def main() -> str:
    return told({}, STREAMS, FEW)


def lone() -> str:
    return told({"input": LONG}, (1,), (1,))


def told(more: dict[str, str], hibari: Sequence[int], kokoro: Sequence[int]) -> str:
    with ahead():
        rows = [asyncio.run(idle(SECONDS))]
    rows += asyncio.run(measured("hibari", HIBARI | more, hibari, SECONDS))
    if (CACHE / "kokoro").is_dir():
        rows += asyncio.run(measured("kokoro", KOKORO | more, kokoro, SECONDS))
    heads = ["model", "streams", "without a gap over 20 ms", "longest gap, ms", "first audio p50, ms", "p95, ms"]
    return table([*heads, "clients late at most, ms", "counts"], rows)


if __name__ == "__main__":
    print(lone() if sys.argv[1:] == ["lone"] else main())
