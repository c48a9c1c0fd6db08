"""What is slow to show: jobs that outlive their server, and many slow readers."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server.openspeaking import ASKED, LONG, serving, spoken
from tests.server.test_serving import process

READERS = 200
LOOKS = 2000


@contextmanager
def server(folder: Path) -> Iterator[httpx.Client]:
    """As a process that ends by SIGKILL."""
    database = f"sqlite:///{folder / 'history' / 'history.sqlite'}"
    with process(folder, "-m", "server", MODE="http", DATABASE_URL=database, MAX_CONCURRENCY="1") as (_, addresses):
        with httpx.Client(base_url=addresses[0], trust_env=False, timeout=60) as client:
            yield client


def waited_for(client: httpx.Client, id: str) -> httpx.Response:
    """Asks until the job's sound is there."""
    for _ in range(LOOKS):
        told = client.get(f"/api/tts/jobs/{id}").json()
        if told["status"] not in ("pending", "running"):
            break
        client.get("/api/system/gpu")  # takes a moment and needs no clock
    return client.get(f"/api/tts/jobs/{id}/audio")


@pytest.mark.slow
def test_jobs_of_a_server_that_was_killed_are_finished_by_the_next(tmp_path: Path) -> None:
    with server(tmp_path) as client:
        ids = [
            client.post("/api/tts/generate", json=ASKED | {"text": LONG * 10}).json()["job_id"],
            client.post("/api/tts/generate", json=ASKED).json()["job_id"],
        ]
        batch = client.post("/api/tts/batch", json={"model_id": "tone", "lines": ["One.", "Two."]}).json()
        unfinished = client.get(f"/api/tts/jobs/{ids[1]}").json()
        assert unfinished["status"] == "pending"
    with server(tmp_path) as client:
        client.delete(f"/api/tts/jobs/{ids[0]}")
        for id in (ids[1], *batch["job_ids"]):
            sound = waited_for(client, id)
            assert sound.status_code == 200, sound.text
            assert sound.content.startswith(b"RIFF")
        assert client.get(f"/api/tts/batches/{batch['batch_id']}").json()["status_counts"] == {"complete": 2}
        assert client.get(f"/api/tts/jobs/{ids[0]}").json()["status"] == "cancelled"


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.slow
async def test_two_hundred_slow_readers_cost_no_memory(tmp_path: Path) -> None:
    """Each takes a few bytes and stops; together they asked for far more than the server may grow by."""
    async with serving(tmp_path) as client:
        id = await spoken(client, text=LONG[:2400])
        path = f"/api/tts/jobs/{id}/audio"
        size = len((await client.get(path)).content)
        before = resident_bytes()
        port = client.base_url.port
        readers = [await reader(port, path) for _ in range(READERS)]
        try:
            loop = asyncio.get_running_loop()
            beginnings = await asyncio.gather(*(loop.sock_recv(each, 100) for each in readers))
            assert {beginning[:15] for beginning in beginnings} == {b"HTTP/1.1 200 OK"}
            grown = resident_bytes() - before
            assert grown < READERS * size / 10, f"{grown / 1e6:.0f} MB of {READERS * size / 1e6:.0f}"
            assert (await client.get(path)).status_code == 200, "others are served meanwhile"
        finally:
            for each in readers:
                each.close()


async def reader(port: int | None, path: str) -> socket.socket:
    """A client that takes little at once."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(opened, ("127.0.0.1", port))
    await loop.sock_sendall(opened, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return opened
