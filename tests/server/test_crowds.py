"""Many at once: more requests than there are places, and listeners who hardly listen."""

import asyncio
import json
import socket
from collections import Counter
from pathlib import Path

import httpx
import pytest

from models.engines.tone import Cost, Score
from tests.platform.inside import until
from tests.server.served import house_of, served
from tests.server.test_openspeakers_lasting import resident_bytes

SPEECH = {"model": "tone", "voice": "low", "response_format": "pcm"}
SLOW = Score(costs={"speak": Cost(start=0.01)})
LONG = "One sentence after the other. " * 600
"""Some fifty megabytes as plain samples."""
EACH_BYTES = 15_000_000
"""What runs ahead of one who listens: half a minute of sound, and the lines that are open."""
AT_ONCE = 100
MEGABYTE = 1_000_000


async def asked(client: httpx.AsyncClient, turns: asyncio.Semaphore) -> str:
    async with turns:
        answer = await client.post("/v1/audio/speech", json=SPEECH | {"input": "Hello."})
    if answer.status_code == 429:
        assert answer.headers["Retry-After"]
        assert answer.json()["error"]["code"] == "busy"
        return "busy"
    assert answer.status_code == 200, answer.text
    assert len(answer.content) > 10_000
    return "spoken"


async def crowd(client: httpx.AsyncClient, count: int) -> Counter[str]:
    turns = asyncio.Semaphore(AT_ONCE)
    return Counter(await asyncio.gather(*(asked(client, turns) for _ in range(count))))


@pytest.mark.usefixtures("both_executors")
@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
async def test_of_more_requests_than_there_are_places_each_is_answered_or_told_429(tmp_path: Path, count: int) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="4") as client:
        told = await crowd(client, count // 2)
        before = resident_bytes()
        told += await crowd(client, count // 2)
        assert sum(told.values()) == count
        assert told["spoken"] > 0
        assert told["busy"] > 0, "so many at once are more than it has places for"
        assert resident_bytes() - before < 60 * MEGABYTE
        await until(lambda: not house_of(client).running)


async def listener(port: int | None) -> socket.socket:
    """Asks for a long stream, and takes little of it at once."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, ("127.0.0.1", port))
    body = json.dumps(SPEECH | {"input": LONG}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    await loop.sock_sendall(opened, f"{head}\r\n\r\n".encode() + body)
    return opened


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.slow)])
async def test_listeners_who_take_little_cost_little_and_free_their_places_by_leaving(
    tmp_path: Path, count: int
) -> None:
    async with served(tmp_path, MAX_CONCURRENCY=str(count + 5)) as client:
        before = resident_bytes()
        loop = asyncio.get_running_loop()
        listeners = [await listener(client.base_url.port) for _ in range(count)]
        try:
            heads = await asyncio.gather(*(loop.sock_recv(each, 100) for each in listeners))
            told = Counter(head[9:12] for head in heads)
            assert told[b"200"] > 0
            assert told[b"200"] + told[b"429"] == count
            grown = resident_bytes() - before
            assert grown < 60 * MEGABYTE + EACH_BYTES * count, f"{grown / 1e6:.0f} MB for {count} listeners"
        finally:
            for each in listeners:
                each.close()
        await until(lambda: not house_of(client).running, seconds=60)
        answer = await client.post("/v1/audio/speech", json=SPEECH | {"input": "Hello."})
        assert len(answer.content) > 10_000
