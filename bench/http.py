"""(f) Over HTTP: what the server adds to the bare engine, what streams cost it, what distance does to the first sample.

Each stream is heard to its end: an engine finishes the sentence it is at, also for one who has left.

Server and client are two processes. The round trip is emulated on loopback: each call of the queue's API takes it once;
bytes to and from our server are held back for half of it each way, on connections that are open already.
"""

import asyncio
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import runpod  # type: ignore[import-untyped]

from basics.events import Audio
from basics.settings import Settings
from bench.distance import far
from bench.overhead import SENTENCES, bare
from bench.pairs import Pairs, Spread, in_turn, table
from client import AsyncClient, Client
from models.engines.hibari import Hibari
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job
from operations.opening import around
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import working
from tests.server.processes import process

TEXT = " ".join(SENTENCES)
ROUND_TRIP = 0.04
STREAMS, STREAM_SECONDS = 100, 10.0
AT_ONCE_ROUNDS = 200
SPEECH = {"model": "hibari", "voice": "heart", "input": TEXT, "response_format": "pcm"}
FIELDS = {"model": "hibari", "voice": "heart", "format": "pcm"}


def main() -> str:
    logging.disable(logging.INFO)  # each request is a line otherwise
    return f"{asyncio.run(_first_byte())}\n\n{asyncio.run(_streams())}\n\n{asyncio.run(_distance())}"


async def _first_byte() -> str:
    with tempfile.TemporaryDirectory() as folder:
        with process(Path(folder), "-m", "server", MODEL="hibari") as (_, [address]):
            engine = Hibari.load(Path(), "cpu", "")
            async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
                first, _ = await in_turn(
                    partial(_heard, client), partial(asyncio.to_thread, bare, engine, "heart"), rounds=15
                )
        async with _house() as house:
            inside, _ = await in_turn(partial(_inside, house), partial(asyncio.to_thread, bare, engine, "heart"))
    heads = ["first byte of a pcm stream", "ms more than the bare engine", "certain"]
    rows = [_row("over HTTP", first), _row("the same house without HTTP", inside)]
    return f"{table(heads, rows)}\n\n{await _at_once()}"


async def _at_once() -> str:
    """From the request to the first byte, where nobody has to be waited for. The processor's time tells of no load."""
    async with _speaking() as (pid, client):
        short = SPEECH | {"model": "paced", "input": "0.1"}
        for _ in range(AT_ONCE_ROUNDS // 10):
            await _heard(client, short)
        used = _cpu_seconds(pid)
        times = [(await _heard(client, short))[0] for _ in range(AT_ONCE_ROUNDS)]
        each = (_cpu_seconds(pid) - used) / AT_ONCE_ROUNDS
    wall = Spread.of(times).told(1000)
    return (
        f"HTTP by itself, an executor that speaks at once: {wall} ms, {each * 1000:.1f} ms of the server's processor."
    )


def _row(name: str, pairs: Pairs) -> list[str]:
    return [name, pairs.difference.told(1000), "yes" if pairs.certain else "no"]


async def _heard(client: httpx.AsyncClient, speech: dict[str, Any] = SPEECH) -> list[float]:
    began = time.perf_counter()
    first = 0.0
    async with client.stream("POST", "/v1/audio/speech", json=speech) as reply:
        async for _ in reply.aiter_raw():
            first = first or time.perf_counter() - began
    return [first, time.perf_counter() - began]


async def _inside(house: House) -> list[float]:
    began = time.perf_counter()
    first = 0.0
    async for event in answer(Job("bench", {"text": TEXT, "delivery": "stream"} | FIELDS), house):
        if isinstance(event, Audio):
            first = first or time.perf_counter() - began
    return [first, time.perf_counter() - began]


async def _streams() -> str:
    """Both ways in which our server streams: plain bytes, and events as lines."""
    rows = [[name, f"{await _share(ask):.1%}"] for name, ask in (("raw PCM", _raw), ("events as lines", _events))]
    return table([f"{STREAMS} streams that play at their own pace", "of one core, the server's process"], rows)


async def _share(ask: Callable[[httpx.AsyncClient], Awaitable[None]]) -> float:
    async with _speaking() as (pid, client):
        asking = [asyncio.ensure_future(ask(client)) for _ in range(STREAMS)]
        await asyncio.sleep(STREAM_SECONDS * 0.2)
        used, began = _cpu_seconds(pid), time.perf_counter()
        await asyncio.sleep(STREAM_SECONDS * 0.6)
        share = (_cpu_seconds(pid) - used) / (time.perf_counter() - began)
        await asyncio.gather(*asking)
        return share


@asynccontextmanager
async def _speaking() -> AsyncIterator[tuple[int, httpx.AsyncClient]]:
    """`bench.paced` as a process, by its id, and its client."""
    command = (sys.executable, "-m", "bench.paced")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: ASYNC220  nobody else waits
        try:
            assert server.stdout is not None
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"
            limits = httpx.Limits(max_connections=STREAMS)
            async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits, trust_env=False) as client:
                yield server.pid, client
        finally:
            server.kill()


async def _raw(client: httpx.AsyncClient) -> None:
    body = {"model": "paced", "voice": "nobody", "input": str(STREAM_SECONDS), "response_format": "pcm"}
    async with client.stream("POST", "/v1/audio/speech", json=body) as reply:
        async for _ in reply.aiter_raw():
            pass


async def _events(client: httpx.AsyncClient) -> None:
    body = {"input": {"text": str(STREAM_SECONDS), "delivery": "stream"}}
    headers = {"Accept": "application/x-ndjson"}
    async with client.stream("POST", "/v2/tts/run", json=body, headers=headers) as reply:
        async for _ in reply.aiter_raw():
            pass


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def _distance() -> str:
    async with _house() as house:
        with ControlPlane() as plane:
            plane.client.delay = ROUND_TRIP
            async with working(plane, around(house).answer):
                rows = await _queued(plane, house)
    with tempfile.TemporaryDirectory() as folder:
        with process(Path(folder), "-m", "server", MODEL="hibari") as (_, [address]):
            async with far(address, ROUND_TRIP) as there, AsyncClient(there) as distant, AsyncClient(address) as near:
                direct, _ = await in_turn(partial(_by_http, distant), partial(_by_http, near))
    rows.append(_compared("our client, HTTP", "the same server from near", direct))
    away = f"text sent to first sample, {ROUND_TRIP * 1000:g} ms of round trip"
    return table([away, "p50, ms", "beside", "ms more", "certain"], rows)


async def _queued(plane: ControlPlane, house: House) -> list[list[str]]:
    runpod.endpoint_url_base = f"{plane.url}/v2"
    endpoint = runpod.Endpoint(plane.endpoint, api_key="loopback")
    with Client(f"{plane.url}/v2/{plane.endpoint}", "loopback") as client:
        ours = partial(asyncio.to_thread, _by_ours, client)
        engine, _ = await in_turn(ours, partial(_inside, house))
        theirs, _ = await in_turn(partial(asyncio.to_thread, _by_theirs, endpoint), ours)
    endpoint.rp_client.rp_session.close()
    return [
        _compared("our client, queue", "the worker asked directly", engine),
        _compared("the runpod client, queue", "our client, queue", theirs),
    ]


def _compared(name: str, beside: str, pairs: Pairs) -> list[str]:
    certain = "yes" if pairs.certain else "no"
    return [name, f"{statistics.median(pairs.ours) * 1000:.0f}", beside, pairs.difference.told(1000), certain]


def _by_ours(client: Client) -> list[float]:
    began = time.perf_counter()
    first = 0.0
    for _ in client.stream(TEXT, **FIELDS):
        first = first or time.perf_counter() - began
    return [first, time.perf_counter() - began]


def _by_theirs(endpoint: Any) -> list[float]:
    began = time.perf_counter()
    job = endpoint.run({"input": {"text": TEXT, "delivery": "stream"} | FIELDS})
    first = 0.0
    for event in job.stream():
        if event["event"] == "audio":
            first = first or time.perf_counter() - began
    return [first, time.perf_counter() - began]


async def _by_http(client: AsyncClient) -> list[float]:
    began = time.perf_counter()
    first = 0.0
    async for _ in client.stream(TEXT, **FIELDS):
        first = first or time.perf_counter() - began
    return [first, time.perf_counter() - began]


@asynccontextmanager
async def _house() -> AsyncIterator[House]:
    house = houses.open(Settings.read({"MODEL": "hibari"}))
    try:
        await house.manager.warm("hibari")
        yield house
    finally:
        await house.close()


if __name__ == "__main__":
    print(main())
