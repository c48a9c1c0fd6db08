"""Ours against fastkokoro, in turn, on the same int8 network, voice and text: `python -m bench.kokoro PATH`.

PATH is its command in an environment of its own. Requests come all at once, 1, 4, 8 and 16 of them unless numbers
follow. It answers over HTTP on loopback; ours is asked in process, for a stream of PCM, through the whole road.
First audio is the median over the requests, in seconds.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from subprocess import DEVNULL

import aiohttp
import numpy as np

from basics.events import Audio, Failed
from basics.settings import Settings
from bench.pairs import table
from bench.playback import Playback
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job
from tests.engines import weights
from tests.platform.worker import clean

TEXT = "The harbour was quiet when the first boats came in. By noon the fog had gone, and the town looked like itself."
VOICE, NAMED, RATE = "jf_alpha", "af_heart", 24_000
REQUESTS = (1, 4, 8, 16)
ROUNDS = 3

Ask = Callable[[], Awaitable[Playback]]


@dataclass(frozen=True, slots=True)
class Round:
    first: float
    """Median over the requests."""
    pace: float
    """Seconds of sound a second, all requests together."""
    gap: float
    """The longest silence that any of them heard, in seconds."""


async def together(ask: Ask, requests: int) -> Round:
    began = time.perf_counter()
    heard = await asyncio.gather(*(ask() for _ in range(requests)))
    seconds = time.perf_counter() - began
    firsts = [each.first for each in heard if each.first is not None]
    return Round(median(firsts), sum(each.seconds for each in heard) / seconds, max(each.gap for each in heard))


async def ours(house: House) -> Playback:
    playback = Playback(time.perf_counter())
    asked = {"text": TEXT, "voice": VOICE, "language": "en-us", "delivery": "stream", "format": "pcm", "cache": False}
    async for event in answer(Job("bench", asked), house):
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Audio):
            playback.hear(len(event.data) / 2 / RATE, time.perf_counter())
    return playback


async def theirs(session: aiohttp.ClientSession, url: str) -> Playback:
    playback = Playback(time.perf_counter())
    asked = {
        "model": "kokoro",
        "input": TEXT,
        "voice": NAMED,
        "lang": "en-us",
        "response_format": "pcm",
        "stream": True,
    }
    async with session.post(f"{url}/v1/audio/speech", json=asked) as response:
        response.raise_for_status()
        async for part in response.content.iter_any():
            playback.hear(len(part) / 2 / RATE, time.perf_counter())
    return playback


async def compared(command: str, requests: Sequence[int] = REQUESTS) -> str:
    files = weights.kokoro()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        (Path(folder) / "kokoro").symlink_to(files)
        # It refuses to let a Japanese voice speak English, so it knows the same voice by an English name.
        with np.load(files / "voices-v1.0.bin") as held:
            np.savez(Path(folder) / "voices.npz", **{NAMED: held[VOICE]})
        environment = {"MODEL": "kokoro", "WEIGHTS_DIR": folder, "AUDIO_OUTPUT_DIR": folder, "VOICES": folder}
        house = houses.open(Settings.read(environment))
        try:
            # Before theirs is there: the first words tell how fast this machine is.
            await house.manager.warm("kokoro")
            async with served(command, clean() | _settings(files, Path(folder), port), port) as other:
                return await _rows(lambda: ours(house), other, requests)
        finally:
            await house.close()


@asynccontextmanager
async def served(command: str, variables: dict[str, str], port: int) -> AsyncIterator[Ask]:
    """Theirs, in a process of its own."""
    server = await asyncio.create_subprocess_exec(command, env=variables, stdout=DEVNULL, stderr=DEVNULL)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)) as session:
            url = f"http://127.0.0.1:{port}"
            await _ready(session, url)
            yield lambda: theirs(session, url)
    finally:
        server.terminate()
        await server.wait()


async def _rows(own: Ask, other: Ask, counts: Sequence[int]) -> str:
    rows = []
    for requests in counts:
        pairs = [(await together(own, requests), await together(other, requests)) for _ in range(ROUNDS)]
        firsts = [median(pair[side].first for pair in pairs) for side in (0, 1)]
        paces = [median(pair[side].pace for pair in pairs) for side in (0, 1)]
        gaps = [max(pair[side].gap for pair in pairs) for side in (0, 1)]
        figures = [*firsts, firsts[0] / firsts[1], *paces, paces[0] / paces[1], *gaps]
        rows.append([str(requests), *(f"{figure:.2f}" for figure in figures)])
        print(rows[-1], file=sys.stderr, flush=True)
    heads = [
        "requests",
        "first audio, s",
        "theirs",
        "ratio",
        "sound a second",
        "theirs",
        "ratio",
        "longest gap, s",
        "theirs",
    ]
    return table(heads, rows)


def _settings(files: Path, folder: Path, port: int) -> dict[str, str]:
    return {
        "FASTKOKORO_MODEL_PATH": str(files / "kokoro-v1.0.int8.onnx"),
        "FASTKOKORO_VOICES_PATH": str(folder / "voices.npz"),
        "FASTKOKORO_DEFAULT_VOICE": NAMED,
        "FASTKOKORO_HOST": "127.0.0.1",
        "FASTKOKORO_PORT": str(port),
    }


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                async with session.get(f"{url}/health") as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def main(arguments: list[str]) -> int:
    if not arguments or not all(count.isdigit() for count in arguments[1:]):
        sys.stderr.write("python -m bench.kokoro PATH_OF_FASTKOKORO [REQUESTS ...]\n")
        return 2
    print(asyncio.run(compared(arguments[0], [int(count) for count in arguments[1:]] or REQUESTS)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
