"""RunPod's routes, asked by RunPod's own client and as lines, on both executors."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.engines.tone import Cost, Score
from server import desk
from tests.platform.inside import until
from tests.server.served import house_of, served

STREAM = {"text": "One sentence. And a second one.", "format": "mp3", "delivery": "stream"}
LONG = {"text": "One sentence after the other. " * 200, "format": "pcm", "delivery": "stream"}
SLOW = Score(costs={"speak": Cost(start=0.05)})
LINES = {"Accept": "application/x-ndjson"}


@asynccontextmanager
async def own_client(client: httpx.AsyncClient) -> AsyncIterator[Any]:
    """`runpod.Endpoint`, unmodified, called in threads."""
    runpod = pytest.importorskip("runpod")
    before, runpod.endpoint_url_base = runpod.endpoint_url_base, f"{str(client.base_url).rstrip('/')}/v2"
    endpoint = runpod.Endpoint("any", api_key="secret")
    try:
        yield endpoint
    finally:
        endpoint.rp_client.rp_session.close()
        runpod.endpoint_url_base = before


@pytest.mark.usefixtures("both_executors")
async def test_the_runpod_client_runs_streams_and_cancels(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, API_KEYS="secret") as client, own_client(client) as endpoint:
        [answer] = await asyncio.to_thread(endpoint.run_sync, {"text": "Hello.", "format": "wav"})
        assert base64.b64decode(answer["audio"]["data"]).startswith(b"RIFF")

        job = await asyncio.to_thread(endpoint.run, {"input": STREAM})
        events = await asyncio.to_thread(lambda: list(job.stream()))
        assert [events[0]["event"], events[-1]["event"]] == ["started", "done"]
        assert (await asyncio.to_thread(job.output))[0]["audio"]["format"] == "mp3"

        job = await asyncio.to_thread(endpoint.run, LONG)
        await until(lambda: bool(house_of(client).running))
        assert (await asyncio.to_thread(job.cancel))["status"] == "CANCELLED"
        assert await asyncio.to_thread(job.status) == "CANCELLED"
        await until(lambda: not house_of(client).running)
        health = await asyncio.to_thread(endpoint.health)
        assert health["jobs"]["completed"] == 2


async def test_the_asyncio_client_of_runpod_streams(tmp_path: Path) -> None:
    runpod = pytest.importorskip("runpod")
    async with served(tmp_path, API_KEYS="secret") as client, runpod.http_client.ClientSession() as session:
        before, runpod.endpoint_url_base = runpod.endpoint_url_base, f"{str(client.base_url).rstrip('/')}/v2"
        try:
            endpoint = runpod.AsyncioEndpoint("any", session, api_key="secret")
            job = await endpoint.run(STREAM)
            events = [event async for event in job.stream()]
            assert [events[0]["event"], events[-1]["event"]] == ["started", "done"]
            assert await job.status() == "COMPLETED"
            assert (await endpoint.health())["workers"]["idle"] == 1
        finally:
            runpod.endpoint_url_base = before


async def test_a_failed_job_tells_the_error_object_in_its_status_and_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        told = (await client.post("/v2/a/runsync", json={"input": {"text": "Hello.", "voice": "nobody"}})).json()
        assert told["status"] == "FAILED"
        assert json.loads(told["error"])["code"] == "unknown_voice"
        assert "output" not in told
        stream = (await client.get(f"/v2/a/stream/{told['id']}")).json()
        assert [each["output"]["event"] for each in stream["stream"]] == ["error"]


async def test_a_stream_is_read_once(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        job = (await client.post("/v2/a/runsync", json={"input": STREAM})).json()["id"]
        first, second = [(await client.get(f"/v2/a/stream/{job}")).json() for _ in range(2)]
        assert (first["status"], first["stream"][-1]["output"]["event"]) == ("COMPLETED", "done")
        assert second["stream"] == []


async def test_runsync_gives_the_state_when_its_wait_is_over(tmp_path: Path) -> None:
    async with served(tmp_path, Score(costs={"speak": Cost(start=0.3)})) as client:
        job = (await client.post("/v2/a/runsync?wait=1000", json={"input": LONG})).json()
        assert job["status"] == "IN_PROGRESS"
        await client.post(f"/v2/a/cancel/{job['id']}")
        assert (await client.get(f"/v2/a/status/{job['id']}")).json()["status"] == "CANCELLED"


async def test_what_there_is_no_place_for_waits_in_line(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        first = (await client.post("/v2/a/run", json={"input": LONG})).json()["id"]
        await until(lambda: bool(house_of(client).running))
        second = (await client.post("/v2/a/run", json={"input": STREAM})).json()["id"]
        assert (await client.get(f"/v2/a/status/{second}")).json()["status"] == "IN_QUEUE"
        refused = await client.post("/v2/a/run", json={"input": STREAM}, headers=LINES)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        await client.post(f"/v2/a/cancel/{first}")
        while (told := (await client.get(f"/v2/a/status/{second}")).json())["status"] != "COMPLETED":
            assert told["status"] in ("IN_QUEUE", "IN_PROGRESS")


async def test_purging_forgets_what_waits_and_nothing_else(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        await client.post("/v2/a/run", json={"input": LONG})
        await until(lambda: bool(house_of(client).running))
        second = (await client.post("/v2/a/run", json={"input": LONG})).json()["id"]
        assert (await client.post("/v2/a/purge-queue")).json() == {"removed": 1, "status": "completed"}
        assert (await client.get(f"/v2/a/status/{second}")).status_code == 404
        assert house_of(client).running


async def test_a_job_over_its_own_timeout_is_ended(tmp_path: Path) -> None:
    async with served(tmp_path, Score(costs={"speak": Cost(start=0.2)})) as client:
        asked = {"input": {**LONG, "params": {"endless": True}}, "policy": {"executionTimeout": 5000}}
        told = (await client.post("/v2/a/runsync", json=asked)).json()
        assert told["status"] == "TIMED_OUT"
        await until(lambda: not house_of(client).running)


async def test_a_stream_that_nobody_reads_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "UNREAD_BYTES", 100_000)
    async with served(tmp_path) as client:
        told = (await client.post("/v2/a/runsync", json={"input": LONG})).json()
        assert (told["status"], json.loads(told["error"])["code"]) == ("FAILED", "payload_too_large")
        await until(lambda: not house_of(client).running)


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"input": {"text": "a"}, "webhook": "https://example.com"}, 501, "webhook"),
        ({"input": {"text": "a"}, "policy": {"ttl": 10}}, 422, "policy.ttl"),
        ({"input": "a"}, 422, "input"),
        ({}, 422, "input"),
    ],
)
async def test_what_it_cannot_do_is_refused(tmp_path: Path, asked: dict[str, Any], status: int, field: str) -> None:
    async with served(tmp_path) as client:
        refused = await client.post("/v2/a/run", json=asked)
        assert (refused.status_code, refused.json()["error"]["field"]) == (status, field)
        assert (await client.get("/v2/a/status/unknown")).status_code == 404


@pytest.mark.usefixtures("both_executors")
async def test_as_lines_the_events_come_on_the_same_response(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        async with client.stream("POST", "/v2/a/run", json={"input": STREAM}, headers=LINES) as answer:
            assert answer.headers["content-type"].startswith("application/x-ndjson")
            events = [json.loads(line) async for line in answer.aiter_lines() if line.strip()]
        assert [events[0]["event"], events[1]["event"], events[-1]["event"]] == ["started", "audio", "done"]
        refused = await client.post("/v2/a/run", json={"input": {"text": ""}}, headers=LINES)
        [event] = [json.loads(line) for line in refused.text.splitlines() if line.strip()]
        assert (event["event"], event["code"]) == ("error", "invalid_input")


@pytest.mark.usefixtures("both_executors")
async def test_hanging_up_on_the_lines_ends_the_job(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client:
        async with client.stream("POST", "/v2/a/run", json={"input": LONG}, headers=LINES) as answer:
            async for _ in answer.aiter_lines():
                break
            assert house_of(client).running
        await until(lambda: not house_of(client).running)
