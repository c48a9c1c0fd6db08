import asyncio
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from operations.house import House
from store.history.record import Record
from tests.houses import answered, done, failed, joined, standing
from tests.store.seaweed import Seaweed

HELLO = {"text": "Good morning, and welcome.", "format": "pcm"}


@asynccontextmanager
async def remembering(folder: Path, **environment: str) -> AsyncGenerator[House]:
    async with standing(folder, MODE="http", **environment) as house:
        yield house


async def test_what_was_asked_is_listed_with_how_it_ended(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await done(house, HELLO | {"delivery": "volume"})
        answer = (await done(house, {"op": "jobs.list"})).answer
        told = (await done(house, {"op": "jobs.get", "id": "job-1"})).answer["job"]
    assert (answer["page"], answer["page_size"], answer["total"], answer["more"]) == (1, 50, 1, False)
    [listed] = answer["jobs"]
    assert listed == told
    assert (told["op"], told["status"], told["model"], told["voice"]) == ("speak", "done", "tone", "sine")
    assert told["text"] == HELLO["text"]
    assert told["audio"]["kept"]
    assert told["audio"]["format"] == "pcm"
    assert told["usage"]["characters"] == len(HELLO["text"])
    assert told["created"] <= told["started"] <= told["ended"]
    assert told["error"] is None
    assert str(tmp_path) not in str(told)


async def test_a_refused_job_is_listed_with_its_reason_whatever_its_input(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await failed(house, {"text": 5, "voice": ["?"], "model": 7, "turns": [1, {"text": None}]})
        [job] = (await done(house, {"op": "jobs.list", "status": "failed"})).answer["jobs"]
    assert job["error"]["code"] == "invalid_input"
    assert (job["text"], job["voice"], job["audio"]) == ("", "", None)


async def test_asking_about_jobs_and_trying_out_is_no_history(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await done(house, HELLO | {"dry_run": True})
        await done(house, {"op": "models.list"})
        assert (await done(house, {"op": "jobs.list"})).answer["total"] == 0


async def test_what_was_said_is_not_kept_where_the_settings_forbid_it(tmp_path: Path) -> None:
    async with remembering(tmp_path, KEEP_TEXT="0") as house:
        await done(house, HELLO)
        [job] = (await done(house, {"op": "jobs.list"})).answer["jobs"]
        assert (await done(house, {"op": "jobs.list", "search": "morning"})).answer["total"] == 0
    assert (job["text"], job["status"]) == ("", "done")
    files = b"".join(path.read_bytes() for path in (tmp_path / "history").iterdir())
    assert b"welcome" not in files


async def test_a_list_shows_the_beginning_of_a_long_text_and_a_job_all_of_it(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await failed(house, {"text": "Long. " * 90_000})
        [job] = (await done(house, {"op": "jobs.list"})).answer["jobs"]
        whole = (await done(house, {"op": "jobs.get", "id": "job-1"})).answer["job"]
    assert len(job["text"]) == 200
    assert len(whole["text"]) == 100_000


async def test_old_sound_on_the_volume_is_found_again_until_somebody_takes_it_away(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        first = (await done(house, HELLO | {"delivery": "volume"})).answer["audio"]
        again = (await done(house, {"op": "jobs.audio", "id": "job-1"})).answer["audio"]
        assert again["path"] == first["path"]
        Path(first["path"]).unlink()
        assert (await failed(house, {"op": "jobs.audio", "id": "job-1"})).error.code == "not_found"


async def test_sound_that_went_out_with_the_answer_is_not_kept_and_says_so(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await done(house, HELLO)
        error = (await failed(house, {"op": "jobs.audio", "id": "job-1"})).error
    assert error.code == "not_found"
    assert error.hint
    assert "delivery" in error.hint


@pytest.mark.service
async def test_old_sound_in_the_bucket_gets_a_fresh_address_and_none_is_ever_stored(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str
) -> None:
    bucket = {
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
    }
    async with remembering(tmp_path, **bucket, BUCKET_URL_SECONDS="60") as house:
        await done(house, HELLO | {"delivery": "url"})
        record = await asyncio.to_thread(house.history.get, "job-1")
        assert record is not None
        assert record.audio.startswith("bucket:")
        assert "Signature" not in str(record)
        answer = (await done(house, {"op": "jobs.audio", "id": "job-1"})).answer
        assert answer["audio_url"] == answer["audio"]["url"]
        sound = await asyncio.to_thread(lambda: urllib.request.urlopen(answer["audio_url"]).read())
        assert len(sound) == answer["audio"]["bytes"]


@pytest.mark.service
async def test_a_serverless_worker_keeps_its_history_in_the_bucket(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str
) -> None:
    bucket = {
        "RUNPOD_ENDPOINT_ID": "e1",
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
    }
    async with standing(tmp_path, **bucket) as one, standing(tmp_path, **bucket) as other:
        await done(one, HELLO)
        await asyncio.to_thread(one.history.close)
        [job] = (await done(other, {"op": "jobs.list", "search": "good morn"})).answer["jobs"]
    assert (job["status"], job["place"]) == ("done", "e1")


async def test_a_job_that_runs_here_is_cancelled_at_once(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        speaking = asyncio.create_task(answered(house, {"text": "Word. " * 15_000, "delivery": "stream"}))
        while not house.running:  # noqa: ASYNC110 there is nothing to wait on
            await asyncio.sleep(0.01)
        assert (await answered_as(house, "other", {"op": "jobs.cancel", "id": "job-1"})).answer == {
            "cancelled": "job-1"
        }
        last = (await speaking)[-1]
        record = await asyncio.to_thread(house.history.get, "job-1")
    assert last.error.code == "cancelled"  # type: ignore[union-attr]
    assert record is not None
    assert record.state == "cancelled"


async def answered_as(house: House, id: str, input: Any) -> Any:
    from operations.answer import answer
    from operations.job import Job

    return [event async for event in answer(Job(id, input), house)][-1]


async def test_cancelling_says_what_it_cannot_do(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        nowhere = (await failed(house, {"op": "jobs.cancel", "id": "x"})).error
    async with remembering(tmp_path) as house:
        await done(house, HELLO)
        ended = (await failed(house, {"op": "jobs.cancel", "id": "job-1"})).error
        house.history.began(Record("elsewhere", state="running", created=1.0))
        asked = (await done(house, {"op": "jobs.cancel", "id": "elsewhere"})).answer
    assert (nowhere.code, ended.code) == ("not_found", "not_found")
    assert nowhere.hint
    assert "/cancel/" in nowhere.hint
    assert asked["cancelled"] == "elsewhere"
    assert "elsewhere" in asked["warnings"][0]


async def test_a_worker_without_history_says_how_to_get_one(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        error = (await failed(house, {"op": "jobs.list"})).error
        assert (error.code, (await failed(house, {"op": "jobs.get", "id": "x"})).error.code) == (
            "misconfigured",
            "not_found",
        )
    assert error.hint
    assert "DATABASE_URL" in error.hint


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"page": 0}, "page"),
        ({"page_size": 501}, "page_size"),
        ({"status": "complete"}, "status"),
        ({"serach": "x"}, "serach"),
        ({"search": ""}, "search"),
    ],
)
async def test_what_is_wrong_with_a_list_is_named(tmp_path: Path, asked: dict[str, object], field: str) -> None:
    async with remembering(tmp_path) as house:
        error = (await failed(house, {"op": "jobs.list", **asked})).error
    assert (error.code, error.field) == ("invalid_input", field)


async def test_speech_comes_while_the_database_never_does(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("in the way of the database's folder")
    async with remembering(tmp_path) as house:
        events = await answered(house, HELLO | {"delivery": "stream"})
        assert joined(events)
        with pytest.raises(Failure):
            await asyncio.to_thread(house.history.page, None)  # type: ignore[arg-type]


async def test_each_item_of_a_batch_is_found_by_the_batchs_id(tmp_path: Path) -> None:
    async with remembering(tmp_path) as house:
        await done(house, {"op": "batch", "items": [HELLO, {"text": "Hello.", "voice": "nobody"}]})
        listed = (await done(house, {"op": "jobs.list", "batch": "job-1"})).answer["jobs"]
        whole = (await done(house, {"op": "jobs.get", "id": "job-1"})).answer["job"]
    assert {job["id"]: job["status"] for job in listed} == {"job-1-0": "done", "job-1-1": "failed"}
    assert (whole["op"], whole["status"]) == ("batch", "done")
