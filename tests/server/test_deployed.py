"""Jobs through deployed endpoints: the same events as here, and every way in which a platform can fail them."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from basics.events import Audio, Done, Progress, Started
from models.engines.tone import Cost, Score
from operations.job import Job
from tests.houses import answered, decoded, joined, of
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import until
from tests.platform.worker import ROOT, Worker
from tests.server.gateways import asked, before, gateway, refusal
from tests.store.seaweed import Seaweed

STREAM = {"text": "One sentence. And a second one.", "format": "pcm", "delivery": "stream"}
LONG = {"text": "One sentence after the other. " * 200, "format": "pcm", "delivery": "stream"}
SLOW = Score(costs={"speak": Cost(start=0.05)})


async def test_a_stream_comes_as_it_does_in_process(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        there, here = await front.ask(**STREAM), await answered(front.house, STREAM)
    assert joined(there) == joined(here)
    assert (type(there[0]), type(there[-1])) == (Started, Done)
    assert of(Started, there) == of(Started, here)
    assert [event.seq for event in of(Audio, there)] == list(range(len(of(Audio, there))))


async def test_an_inlined_file_comes_as_bytes(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        [*_, last] = await front.ask(text="Hello.", format="flac", delivery="inline")
    assert isinstance(last, Done)
    assert last.data is not None
    assert decoded(last.data)[1] == 24_000
    assert "data" not in last.answer["audio"]


async def test_progress_of_a_long_file_arrives(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        events = await front.ask(text="One sentence after the other. " * 60, format="mp3")
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert all(isinstance(event, Progress) for event in events[1:-1])


async def test_a_refusal_keeps_its_code_and_field(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        [refused] = await front.ask(text="Hello.", voice="nobody")
        assert refusal([refused])[0] == "unknown_voice"
        assert refused.error.field == "voice"  # type: ignore[union-attr]
        assert refusal(await front.ask(text="Hello.", model="tune"))[0] == "unknown_model"
        assert refusal(await front.ask(text="Hello.", model="orpheus-3b"))[0] == "model_not_in_this_worker"


async def test_health_and_readiness_send_no_job(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        [done] = await front.ask(op="system.health")
        assert isinstance(done, Done)
        assert done.answer["endpoints"][0]["serves"] == ["tone"]
        assert (await front.executor.readiness()).ready
        assert front.plane.records == {}
        assert front.plane.client.calls["health"] == 1


async def test_a_key_that_the_platform_refuses_is_a_mistake_of_the_server() -> None:
    with ControlPlane() as plane:
        async with before(plane, key="wrong", tone="ep") as executor:
            code, message = refusal(await asked(executor, text="Hello."))
            assert (code, "RUNPOD_API_KEY" in message) == ("misconfigured", True)
            readiness = await executor.readiness()
            assert (readiness.ready, readiness.failure and readiness.failure.code) == (False, "misconfigured")


async def test_an_endpoint_that_does_not_exist_is_named() -> None:
    with ControlPlane() as plane:
        async with before(plane, tone="gone") as executor:
            code, message = refusal(await asked(executor, text="Hello."))
    assert code == "misconfigured"
    assert "`gone`" in message


async def test_nobody_at_the_address_is_told_plainly() -> None:
    async with before("http://127.0.0.1:9", tone="ep") as executor:
        code, message = refusal(await asked(executor, text="Hello."))
        assert (code, "cannot be reached" in message) == ("timed_out", True)
        assert not (await executor.readiness()).ready


@pytest.mark.parametrize("statuses", [(429,), (429, 429)])
async def test_a_throttled_submission_is_tried_again(tmp_path: Path, statuses: tuple[int, ...]) -> None:
    async with gateway(tmp_path) as front:
        front.plane.client.refuse("run", *statuses)
        assert isinstance((await front.ask(**STREAM))[-1], Done)
        assert len(front.plane.records) == 1


async def test_an_endpoint_that_stays_throttled_is_busy(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        front.plane.client.refuse("run", *[429] * 10)
        assert refusal(await front.ask(**STREAM))[0] == "busy"


@pytest.mark.parametrize("how", ["lost", "500"])
async def test_a_job_whose_submission_went_unanswered_is_not_sent_twice(tmp_path: Path, how: str) -> None:
    async with gateway(tmp_path) as front:
        if how == "lost":
            front.plane.client.lose("run")
        else:
            front.plane.client.refuse("run", 500)
        code, message = refusal(await front.ask(**STREAM))
        assert (code, "not sent a second time" in message) == ("timed_out", True)
        assert front.plane.client.calls["run"] == 1


async def test_what_only_reads_is_asked_again_when_its_answer_was_lost(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        front.plane.client.lose("runsync")
        [done] = await front.ask(op="voices.list")
        assert isinstance(done, Done)
        assert done.answer["total"] == 0


async def test_looks_that_fail_for_a_moment_lose_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        front.plane.client.refuse("stream", 500, 429, 502)
        front.plane.client.refuse("status", 503)
        assert joined(await front.ask(**STREAM)) == joined(await answered(front.house, STREAM))


async def test_a_stream_with_a_lost_part_ends_where_it_was_lost(tmp_path: Path) -> None:
    async with gateway(tmp_path, SLOW) as front:
        async with aclosing(front.executor.perform(Job("job", LONG))) as events:
            heard = []
            async for event in events:
                heard.append(event)
                if len(of(Audio, heard)) == 1:
                    front.plane.client.lose("stream")
        code, message = refusal(heard)
        assert (code, "lost on the way" in message) == ("internal", True)
        await until(lambda: not front.house.running)


async def test_a_job_that_another_worker_begins_anew_is_not_spoken_twice(tmp_path: Path) -> None:
    async with gateway(tmp_path, SLOW) as front:
        async with aclosing(front.executor.perform(Job("job", LONG))) as events:
            heard = []
            async for event in events:
                heard.append(event)
                if len(of(Audio, heard)) == 2 and front.inside.jobs:
                    [id] = list(front.inside.jobs)
                    front.inside.kill(id)
                    await until(lambda: not front.inside.jobs)
                    front.plane.requeue(id)
        code, message = refusal(heard)
        assert (code, "began it anew" in message) == ("internal", True)
        assert len(of(Started, heard)) == 1
        await until(lambda: not front.house.running)


async def test_one_that_was_begun_anew_before_it_was_heard_is_heard_whole(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        with front.plane.slow("stream"):
            hearing = asyncio.ensure_future(front.ask(**STREAM))
            await until(lambda: bool(front.inside.jobs))
            [id] = list(front.inside.jobs)
            front.inside.kill(id)
            await until(lambda: not front.inside.jobs)
            front.plane.requeue(id)
        assert joined(await hearing) == joined(await answered(front.house, STREAM))


async def test_hanging_up_reaches_the_worker(tmp_path: Path) -> None:
    async with gateway(tmp_path, SLOW) as front:
        events = front.executor.perform(Job("job", LONG))
        async for event in events:
            if isinstance(event, Audio):
                break
        await events.aclose()
        await until(lambda: not front.house.running)
        [record] = front.plane.records.values()
        assert record.status == "CANCELLED"


async def test_hanging_up_while_it_is_submitted_cancels_what_was_queued() -> None:
    with ControlPlane() as plane:
        plane.client.delay = 0.2
        async with before(plane, tone="ep") as executor:
            waiting = asyncio.ensure_future(asked(executor, text="Hello."))
            await until(lambda: plane.client.calls["run"] == 1)
            waiting.cancel()
            await until(lambda: [each.status for each in plane.records.values()] == ["CANCELLED"])


async def test_closing_waits_for_what_is_being_cancelled() -> None:
    with ControlPlane() as plane:
        async with before(plane, tone="ep") as executor:
            waiting = asyncio.ensure_future(asked(executor, text="Hello."))
            await until(lambda: plane.client.calls["stream"] > 0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert [each.status for each in plane.records.values()] == ["CANCELLED"]


async def test_a_job_that_no_worker_takes_says_so_and_is_cancelled() -> None:
    with ControlPlane() as plane:
        async with before(plane, queue_seconds=0.2, tone="ep") as executor:
            code, message = refusal(await asked(executor, text="Hello."))
        assert (code, "No worker of the endpoint took the job" in message) == ("timed_out", True)
        assert [each.status for each in plane.records.values()] == ["CANCELLED"]


async def test_a_job_cancelled_on_the_platform_ends_here(tmp_path: Path) -> None:
    async with gateway(tmp_path, SLOW) as front:
        hearing = asyncio.ensure_future(front.ask(**LONG))
        await until(lambda: bool(front.house.running))
        front.plane.cancel(next(iter(front.plane.records)))
        assert refusal(await hearing)[0] == "cancelled"


async def test_an_answer_that_the_platform_dropped_is_said_to_be(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        front.plane.fail("done", 400)
        asking = asyncio.ensure_future(front.ask(text="Hello."))
        await until(lambda: bool(front.plane.of("done")))
        next(iter(front.plane.records.values())).status = "COMPLETED"
        assert "dropped the job's answer" in refusal(await asking)[1]


async def test_more_jobs_than_it_holds_are_refused_at_once() -> None:
    with ControlPlane() as plane:
        async with before(plane, more={"max_concurrency": 1}, tone="ep") as executor:
            first = asyncio.ensure_future(asked(executor, text="Hello."))
            await until(lambda: plane.client.calls["run"] == 1)
            assert refusal(await asked(executor, text="Hello."))[0] == "busy"
            first.cancel()


async def test_a_request_over_the_platforms_limit_is_not_sent() -> None:
    with ControlPlane() as plane:
        async with before(plane, tone="ep") as executor:
            code, _ = refusal(await asked(executor, text="a" * 10_000_001))
        assert (code, plane.client.calls["run"]) == ("payload_too_large", 0)


async def test_models_are_those_of_all_endpoints_each_from_who_serves_it(tmp_path: Path) -> None:
    from operations.opening import around
    from tests.houses import standing
    from tests.platform.inside import working

    async with standing(tmp_path) as one, standing(tmp_path, MODEL="", MODEL_GROUP="pocket") as two:
        with ControlPlane("ep", "other") as plane:
            async with (
                working(plane, around(one).answer, "ep"),
                working(plane, around(two).answer, "other"),
                before(plane, embedded="ep", pocket="other") as executor,
            ):
                [done] = await asked(executor, op="models.list")
                assert isinstance(done, Done)
                served = {card["id"] for card in done.answer["models"] if card["served"]}
                assert {"hibari", "pocket-tts"} <= served
                plane.client.refuse("runsync", 404)
                [done] = await asked(executor, op="models.list")
                assert isinstance(done, Done)
                assert len(done.answer["warnings"]) == 1


@pytest.mark.service
async def test_a_file_over_the_queues_limit_is_fetched_from_the_bucket(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str
) -> None:
    bucket = {
        "BUCKET_ENDPOINT_URL": f"http://{seaweed.host}",
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
        "ALLOW_HOSTS": seaweed.host,
    }
    async with gateway(tmp_path, **bucket) as front:
        text = "One sentence after the other. " * 130
        [*_, last] = await front.ask(text=text, format="wav", sample_rate=48_000, delivery="inline")
        assert isinstance(last, Done)
        assert last.data is not None
        assert len(last.data) > 5_000_000
        assert "url" not in last.answer["audio"]
        assert "audio_url" not in last.answer


@pytest.fixture(scope="module")
def deployed_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("worker")
    places = {"VOICES": str(folder / "voices"), "WEIGHTS_DIR": str(folder), "MODEL_CACHE_DIR": str(folder)}
    with ControlPlane() as plane, Worker(plane, script=ROOT / "handler.py", MODEL="tone", **places):
        yield plane


@pytest.mark.slow
async def test_the_sdks_own_loop_answers_alike(deployed_worker: ControlPlane) -> None:
    async with before(deployed_worker, queue_seconds=60, tone="ep") as executor:
        events = await asked(executor, **STREAM)
        assert joined(events)
        assert isinstance(events[-1], Done)
        [*_, done] = await asked(executor, wide=True, text="Hello.", delivery="inline", format="wav")
        assert isinstance(done, Done)
        assert (done.data or b"").startswith(b"RIFF")
        assert refusal(await asked(executor, text="Hello.", voice="nobody"))[0] == "unknown_voice"


@pytest.mark.slow
async def test_hanging_up_reaches_the_sdks_own_loop(deployed_worker: ControlPlane) -> None:
    async with before(deployed_worker, queue_seconds=60, tone="ep") as executor:
        endless: dict[str, Any] = {**STREAM, "params": {"endless": True}, "text": "Hello. " * 2000}
        events = executor.perform(Job("job", endless))
        async for event in events:
            if isinstance(event, Audio):
                break
        await events.aclose()
    last = list(deployed_worker.records.values())[-1]
    assert last.status == "CANCELLED"
