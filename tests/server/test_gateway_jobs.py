"""A gateway's own jobs: accepted into its history, run on endpoints, and found there again by the gateway after it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from basics.events import Audio, Done, Started
from basics.settings import Settings
from models.engines.tone import Cost, Score
from operations.job import Job
from operations.opening import around
from server import endpoint
from server.deployed import Deployed
from tests.houses import joined, of, standing
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import Inside, until, working
from tests.platform.worker import ROOT, Worker
from tests.server.gateways import asked, refusal
from tests.server.openspeaking import ASKED
from tests.server.processes import process
from tests.store.seaweed import Seaweed

STREAM = {"text": "One sentence. And a second one.", "format": "wav", "delivery": "stream"}
FILE = {"text": "One sentence. And a second one.", "format": "mp3"}
LONG = {"text": "One sentence after the other. " * 100, "format": "wav", "delivery": "stream"}
SLOW = Score(costs={"speak": Cost(start=0.05)})


def settings(plane: ControlPlane, folder: Path, **more: Any) -> Settings:
    near: dict[str, Any] = {"runpod_api_key": "loopback", "endpoint_address": f"{plane.url}/v2", "mode": "http"}
    near |= {"endpoints": {"tone": "ep"}, "database_url": f"sqlite:///{folder / 'history.sqlite'}"}
    return Settings.read({}).model_copy(update=near | {"shutdown_seconds": 0} | more)


@asynccontextmanager
async def front(plane: ControlPlane, folder: Path, **more: Any) -> AsyncIterator[Deployed]:
    executor = Deployed(settings(plane, folder, **more), 30.0)
    try:
        yield executor
    finally:
        await executor.close()


@asynccontextmanager
async def worker(
    plane: ControlPlane, folder: Path, score: Score | None = None, **environment: str
) -> AsyncIterator[Inside]:
    async with standing(folder, score, None, **environment) as house:
        await house.manager.warm("tone")
        async with working(plane, around(house).answer) as inside:
            yield inside


async def ended(executor: Deployed, id: str) -> Any:
    """Waits for its end, and until its sound is kept."""
    jobs = await executor.background()
    async with asyncio.timeout(60):
        while True:
            result = await jobs.result(id, wait_seconds=60)
            assert result is not None
            if result.record.audio or result.error is not None:
                return result
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("input", [STREAM, FILE])
async def test_what_a_gateway_left_behind_is_followed_by_the_next_and_not_sent_again(
    tmp_path: Path, input: dict[str, Any]
) -> None:
    with ControlPlane() as plane:
        async with front(plane, tmp_path) as first:
            id = await (await first.background()).submit(Job("one", input))
            await until(lambda: plane.client.calls["run"] == 1 and bool(plane.records))
            await until(lambda: plane.client.calls["stream"] > 0)
        assert [record.status for record in plane.records.values()] == ["IN_QUEUE"]
        async with worker(plane, tmp_path / "worker"), front(plane, tmp_path) as second:
            result = await ended(second, id)
            assert result.record.state == "done"
            heard = (await (await second.background()).hear(id)).read()
            assert heard.startswith(b"RIFF" if input["format"] == "wav" else b"ID3")
        assert plane.client.calls["run"] == 1


async def test_a_stream_that_was_begun_is_ended_there_and_spoken_whole_by_the_next(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker", SLOW):
            async with front(plane, tmp_path) as first:
                jobs = await first.background()
                id = await jobs.submit(Job("one", LONG))
                await until(lambda: len(jobs.heard(id)) > 2)
            assert [record.status for record in plane.records.values()] == ["CANCELLED"]
            async with front(plane, tmp_path) as second:
                result = await ended(second, id)
                assert result.record.state == "done"
                assert len((await (await second.background()).hear(id)).read()) == result.record.bytes
        assert plane.client.calls["run"] == 2


async def test_a_job_whose_cancelling_was_asked_for_while_no_gateway_ran_is_cancelled_on_its_endpoint(
    tmp_path: Path,
) -> None:
    with ControlPlane() as plane:
        async with front(plane, tmp_path) as first:
            await (await first.background()).submit(Job("one", FILE))
            await until(lambda: plane.client.calls["stream"] > 0)
        async with standing(tmp_path, MODE="http", DATABASE_URL=f"sqlite:///{tmp_path / 'history.sqlite'}") as other:
            await other.recall.ask(other.history.wish, "one")
        async with front(plane, tmp_path) as second:
            assert (await ended(second, "one")).record.state == "cancelled"
            await until(lambda: [record.status for record in plane.records.values()] == ["CANCELLED"])
        assert plane.client.calls["run"] == 1


async def test_a_platform_that_is_away_for_a_moment_fails_no_accepted_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "PAUSE_SECONDS", 0.01)
    with ControlPlane() as plane:
        plane.client.refuse("run", *[429] * 5)
        plane.client.refuse("stream", *[502] * 5)
        async with worker(plane, tmp_path / "worker"), front(plane, tmp_path) as executor:
            id = await (await executor.background()).submit(Job("one", STREAM))
            assert (await ended(executor, id)).record.state == "done"


async def test_what_was_asked_is_in_the_gateways_own_history_with_the_endpoints_job(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker"), front(plane, tmp_path) as executor:
            await asked(executor, **STREAM)
            [listed] = await asked(executor, op="jobs.list")
            assert isinstance(listed, Done)
            [job] = listed.answer["jobs"]
            assert (job["id"], job["status"], job["model"]) == ("job-1", "done", "tone")
            assert job["place"] == f"ep/{next(iter(plane.records))}"
            [got] = await asked(executor, op="jobs.get", id="job-1")
            assert isinstance(got, Done)
            assert got.answer["job"]["text"] == STREAM["text"]
            assert refusal(await asked(executor, op="jobs.audio", id="job-1"))[0] == "not_found"
            assert refusal(await asked(executor, op="jobs.cancel", id="job-1"))[0] == "not_found"


async def test_the_sound_of_a_job_that_ran_in_the_background_is_the_gateways_to_give(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker"), front(plane, tmp_path) as executor:
            await (await executor.background()).submit(Job("one", STREAM))
            await ended(executor, "one")
            [audio] = await asked(executor, wide=True, op="jobs.audio", id="one")
            assert isinstance(audio, Done)
            assert (audio.data or b"").startswith(b"RIFF")


@pytest.mark.service
async def test_sound_that_an_endpoint_keeps_in_its_bucket_is_asked_of_it(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str
) -> None:
    bucket = {
        "RUNPOD_ENDPOINT_ID": "ep",
        "BUCKET_ENDPOINT_URL": f"http://{seaweed.host}",
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
        "ALLOW_HOSTS": seaweed.host,
    }
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker", **bucket), front(plane, tmp_path) as executor:
            [*_, first] = await asked(executor, text="Hello.", format="mp3", delivery="url")
            assert isinstance(first, Done)
            [again] = await asked(executor, op="jobs.audio", id="job-1")
            assert isinstance(again, Done)
            url = again.answer["audio_url"]
            assert url.partition("?")[0] == first.answer["audio_url"].partition("?")[0]


async def test_a_job_whose_worker_was_lost_half_way_is_spoken_whole_by_another(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker", SLOW) as inside, front(plane, tmp_path) as executor:
            jobs = await executor.background()
            await jobs.submit(Job("one", LONG))
            await until(lambda: len(jobs.heard("one")) > 2)
            [id] = list(inside.jobs)
            inside.kill(id)
            await until(lambda: not inside.jobs)
            plane.requeue(id)
            assert (await ended(executor, "one")).record.state == "done"
            told = jobs.heard("one")
            sound = (await jobs.hear("one")).read()
            assert [event.seq for event in of(Audio, told)] == list(range(len(of(Audio, told))))
            assert len(of(Started, told)) == 1
            assert len(sound) == len(joined(told)) == (await ended(executor, "one")).record.bytes


async def test_a_part_of_a_jobs_stream_that_is_lost_is_spoken_again(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker", SLOW), front(plane, tmp_path) as executor:
            jobs = await executor.background()
            await jobs.submit(Job("one", LONG))
            await until(lambda: len(jobs.heard("one")) > 2)
            plane.client.lose("stream")
            assert (await ended(executor, "one")).record.state == "done"
            assert plane.client.calls["run"] == 2


async def test_jobs_cancel_reaches_a_job_that_was_sent_past_the_gateway(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        [other] = plane.submit({"text": "Hello."})
        async with front(plane, tmp_path) as executor:
            [done] = await asked(executor, op="jobs.cancel", id=other)
            assert isinstance(done, Done)
            assert plane.records[other].status == "CANCELLED"
            assert refusal(await asked(executor, op="jobs.cancel", id="nobodys"))[0] == "not_found"


async def test_jobs_cancel_stops_what_the_gateway_runs_for_somebody_else(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with worker(plane, tmp_path / "worker", SLOW) as inside, front(plane, tmp_path) as executor:
            jobs = await executor.background()
            await jobs.submit(Job("one", LONG))
            await until(lambda: len(jobs.heard("one")) > 2)
            [done] = await asked(executor, op="jobs.cancel", id="one")
            assert isinstance(done, Done)
            await until(lambda: not inside.jobs)
            assert (await ended(executor, "one")).record.state == "cancelled"


async def test_more_jobs_than_the_gateway_sends_at_once_wait_in_its_line(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        async with front(plane, tmp_path, max_concurrency=2) as executor:
            jobs = await executor.background()
            for number in range(5):
                await jobs.submit(Job(str(number), STREAM))
            await until(lambda: plane.client.calls["run"] == 2)
            assert jobs.waiting == 3
            async with worker(plane, tmp_path / "worker"):
                for number in range(5):
                    assert (await ended(executor, str(number))).record.state == "done"


@contextmanager
def killed_at_the_end(plane: ControlPlane, folder: Path) -> Iterator[httpx.Client]:
    """The gateway as a process that ends by SIGKILL."""
    near = {"RUNPOD_API_KEY": "loopback", "RUNPOD_ENDPOINT_BASE_URL": f"{plane.url}/v2", "ENDPOINTS": "tone=ep"}
    database = {"DATABASE_URL": f"sqlite:///{folder / 'history.sqlite'}"}
    with process(folder, "-m", "server", MODE="http", **near, **database) as (_, addresses):
        with httpx.Client(base_url=addresses[0], trust_env=False, timeout=60) as client:
            # A new database is made first: on a disk with much to write that takes longer than a job waits for it.
            while client.get("/api/tts/jobs").status_code != 200:
                continue
            yield client


def written(client: httpx.Client) -> int:
    """How many jobs there are, when all that is known of them is in the database."""
    return int(client.get("/api/tts/jobs").json()["total"])


def ended_job(client: httpx.Client, id: str) -> dict[str, Any]:
    while True:
        reply = client.get(f"/api/tts/jobs/{id}")
        assert reply.status_code == 200, reply.text
        told: dict[str, Any] = reply.json()
        if told["status"] not in ("pending", "running"):
            return told
        client.get("/api/system/gpu")  # takes a moment and needs no clock


@pytest.mark.slow
def test_jobs_of_a_gateway_that_was_killed_are_finished_by_the_next_and_spoken_once(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        with killed_at_the_end(plane, tmp_path) as client:
            ids = [client.post("/api/tts/generate", json=ASKED).json()["job_id"] for _ in range(3)]
            plane.until(lambda: plane.client.calls["stream"] > 6)
            assert written(client) == 3
        assert [record.status for record in plane.records.values()] == ["IN_QUEUE"] * 3
        places = {"VOICES": str(tmp_path / "voices"), "WEIGHTS_DIR": str(tmp_path), "MODEL_CACHE_DIR": str(tmp_path)}
        with Worker(plane, script=ROOT / "handler.py", MODEL="tone", **places):
            with killed_at_the_end(plane, tmp_path) as client:
                plane.wait(*plane.records)
                for id in ids:
                    told = ended_job(client, id)
                    assert told["status"] == "complete", told
                    assert client.get(f"/api/tts/jobs/{id}/audio").content.startswith(b"RIFF")
        assert plane.client.calls["run"] == 3


@pytest.mark.slow
def test_a_stream_that_a_killed_gateway_had_begun_is_heard_whole_from_the_next(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        places = {"VOICES": str(tmp_path / "voices"), "WEIGHTS_DIR": str(tmp_path), "MODEL_CACHE_DIR": str(tmp_path)}
        with Worker(plane, script=ROOT / "handler.py", MODEL="tone", **places):
            asked = ASKED | {"text": "One sentence after the other. " * 300}
            with killed_at_the_end(plane, tmp_path) as client:
                id = client.post("/api/tts/generate", json=asked).json()["job_id"]
                plane.until(lambda: any(len(each.stream) > 3 for each in plane.records.values()))
                assert written(client) == 1
            with killed_at_the_end(plane, tmp_path) as client:
                told = ended_job(client, id)
                assert told["status"] == "complete", told
                sound = client.get(f"/api/tts/jobs/{id}/audio").content
                assert len(sound) == pytest.approx(told["duration_seconds"] * 48_000, abs=1000)
        assert plane.client.calls["run"] == 2


async def test_closing_while_a_job_is_being_submitted_leaves_none_on_the_platform_that_nobody_knows(
    tmp_path: Path,
) -> None:
    with ControlPlane() as plane:
        plane.client.delay = 0.2
        async with front(plane, tmp_path) as executor:
            await (await executor.background()).submit(Job("one", STREAM))
            await until(lambda: plane.client.calls["run"] == 1)
        assert [record.status for record in plane.records.values()] == ["CANCELLED"]
