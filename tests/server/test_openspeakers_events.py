"""A job's socket: every watcher is told all of it, early and late, and a stranger nothing."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from models.engines.tone import Cost, Score
from tests.server.openspeaking import LONG, accepted, ended, everything, serving, socket, spoken
from tests.server.served import house_of

SLOW = Score(costs={"speak": Cost(start=0.02)})


@pytest.mark.usefixtures("both_executors")
async def test_two_watchers_and_a_late_one_are_told_the_same(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW) as client:
        id = await accepted(client, text=LONG[:300])
        one, two = await asyncio.gather(everything(client, id), everything(client, id))
        late = await everything(client, id)
        assert one == two
        assert [message["event"] for message in late] == [message["event"] for message in one]
        events = [message["event"] for message in one]
        assert events[:3] == ["queued", "loading", "generating"]
        assert set(events[3:-1]) == {"audio_chunk"}
        assert events[-1] == "complete"
        percents = [message["percent"] for message in one if message["event"] == "audio_chunk"]
        assert percents == sorted(percents)
        assert (await client.get(one[-1]["audio_url"])).status_code == 200


async def test_the_chunks_of_a_wav_join_to_its_samples(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = await spoken(client)
        chunks = [message for message in await everything(client, id) if message["type"] == "audio_chunk"]
        joined = b"".join(base64.b64decode(chunk["chunk_data"]) for chunk in chunks)
        whole = (await client.get(f"/api/tts/jobs/{id}/audio")).content
        assert whole[whole.index(b"data") + 8 :] == joined
        assert {(chunk["format"], chunk["sample_rate"]) for chunk in chunks} == {("pcm16", 24_000)}
        assert [chunk["chunk_index"] for chunk in chunks] == list(range(len(chunks)))


@pytest.mark.usefixtures("both_executors")
async def test_the_chunks_of_an_mp3_join_to_the_file(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = await spoken(client, output_format="mp3")
        chunks = [message for message in await everything(client, id) if message["type"] == "audio_chunk"]
        joined = b"".join(base64.b64decode(chunk["chunk_data"]) for chunk in chunks)
        assert (await client.get(f"/api/tts/jobs/{id}/audio")).content == joined


@pytest.mark.usefixtures("both_executors")
async def test_a_failure_and_a_cancel_are_told_and_end_the_socket(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW) as client:
        bad = (await everything(client, await accepted(client, voice_id="nobody")))[-1]
        assert (bad["type"], bad["event"], bad["code"]) == ("error", "failed", "unknown_voice")
        id = await accepted(client, text=LONG)
        async with socket(client, f"/ws/jobs/{id}") as opened:
            while json.loads(await opened.recv())["event"] != "audio_chunk":
                continue
            await client.delete(f"/api/tts/jobs/{id}")
            last = [json.loads(message) async for message in opened][-1]
        assert (last["event"], last["status"]) == ("failed", "cancelled")


@pytest.mark.usefixtures("both_executors")
async def test_a_job_that_waits_in_the_line_is_queued_and_nothing_more(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        first = await accepted(client, text=LONG)
        waits = await accepted(client)
        async with socket(client, f"/ws/jobs/{waits}") as opened:
            assert json.loads(await opened.recv())["event"] == "queued"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await opened.recv()
            await client.delete(f"/api/tts/jobs/{first}")
            rest = [json.loads(message)["event"] async for message in opened]
        assert (rest[0], rest[-1]) == ("loading", "complete")


async def test_a_job_of_another_server_is_told_by_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = await spoken(client)
    async with serving(tmp_path) as client:
        assert [message["event"] for message in await everything(client, id)] == ["queued", "loading", "complete"]


async def test_a_watcher_that_hangs_up_leaves_the_job_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW) as client:
        id = await accepted(client, text=LONG[:300])
        async with socket(client, f"/ws/jobs/{id}") as opened:
            await opened.recv()
        assert (await ended(client, id))["status"] == "complete"


async def test_nobody_is_told_of_a_job_that_is_unknown_or_without_the_key(tmp_path: Path) -> None:
    async with serving(tmp_path, API_KEYS="secret") as client:
        client.headers["X-API-Key"] = "secret"
        id = await spoken(client)
        refused = [(f"/ws/jobs/{id}", {}, "unauthorised"), ("/ws/gpu", {}, "unauthorised")]
        refused += [("/ws/jobs/none", {"X-API-Key": "secret"}, "not_found")]
        for path, headers, code in refused:
            async with socket(client, path, **headers) as opened:
                told = json.loads(await opened.recv())
                assert (told["type"], told["code"]) == ("error", code)
                with pytest.raises(ConnectionClosed) as closed:
                    await opened.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1008
        async with socket(client, f"/ws/jobs/{id}?api_key=secret") as opened:
            assert json.loads(await opened.recv())["event"] == "queued"
        assert not house_of(client).running


async def test_the_cards_are_told_again_and_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        async with socket(client, "/ws/gpu") as opened, asyncio.timeout(60):
            for _ in range(2):
                told = json.loads(await opened.recv())
                assert told["type"] == "gpu_stats"
                assert isinstance(told["gpu"]["available"], bool)
        once = (await client.get("/api/system/gpu")).json()
        assert once["available"] == bool(once["gpus"])
