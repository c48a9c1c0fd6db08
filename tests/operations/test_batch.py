"""Many texts in one job: side by side, each failing alone, all in one answer or one zip."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from basics.events import Done
from basics.limits import ANSWER_BYTES
from models.engines.tone import Cost, Score
from operations import queue
from operations.answer import answer
from operations.job import Job
from tests.houses import decoded, done, failed, left, standing

HELLO = {"text": "Hello there."}


def batch(*items: Any, **rest: Any) -> dict[str, Any]:
    return {"op": "batch", "items": list(items), **rest}


async def test_each_item_has_its_own_answer_in_order_with_its_sound(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        asked = batch({**HELLO, "id": "first"}, {"text": "Another one.", "voice": "high"}, defaults={"format": "mp3"})
        told = (await done(house, asked)).answer
    assert told["counts"] == {"done": 2, "failed": 0, "cancelled": 0}
    first, second = told["items"]
    assert (first["index"], first["id"], first["status"], first["voice"]) == (0, "first", "done", "sine")
    assert (second["index"], "id" in second, second["voice"]) == (1, False, "high")
    for item in told["items"]:
        sound, rate = decoded(item["audio"]["data"])
        assert sound.size / rate == pytest.approx(item["audio"]["duration"], abs=0.15)


async def test_an_item_that_is_wrong_fails_alone(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        wrong = [
            {},
            {"text": "Hi.", "voice": "nobody"},
            {"text": "Hi.", "delivery": "stream"},
            {**HELLO, "op": "batch"},
        ]
        told = (await done(house, batch(HELLO, *wrong, {**HELLO, "id": 7}))).answer
    assert [item["status"] for item in told["items"]] == ["done", *["failed"] * 5]
    codes = ["invalid_input", "unknown_voice", "invalid_input", "invalid_input", "invalid_input"]
    assert [item["code"] for item in told["items"][1:]] == codes
    assert told["items"][3]["field"] == "items[3].delivery"


@pytest.mark.parametrize("items", [[], [HELLO] * 101, "Hello", [1], None])
async def test_one_to_a_hundred_items_are_taken(tmp_path: Path, items: Any) -> None:
    async with standing(tmp_path) as house:
        event = await failed(house, {"op": "batch", "items": items})
        assert event.error.code == "invalid_input"
        assert (event.error.field or "").startswith("items")


async def test_items_run_side_by_side(tmp_path: Path) -> None:
    most = 0
    async with standing(tmp_path, Score(costs={"speak": Cost(start=0.002)})) as house:
        job = Job("job", batch(*[{"text": "Hello there, and good evening to you all."}] * 6))

        async def watched() -> None:
            nonlocal most
            while True:
                most = max([most, *(info["lines"] for info in house.manager.residents())])
                await asyncio.sleep(0.001)

        watching = asyncio.create_task(watched())
        async for _ in answer(job, house):
            pass
        watching.cancel()
    assert most > 1


async def test_sound_that_an_answer_cannot_hold_goes_to_the_volume(tmp_path: Path) -> None:
    """Five megabytes for all: a minute of WAV is 2.9 MB, and fits alone."""
    minute = {"text": "This is a sentence of some length that is said again and again. " * 14}
    async with standing(tmp_path) as house:
        alone = (await done(house, batch(minute))).answer["items"][0]
        three = (await done(house, batch(minute, minute, minute))).answer["items"]
    assert "data" in alone["audio"]
    assert all("path" in item["audio"] for item in three)


async def test_the_whole_answer_stays_under_the_platforms_limit(tmp_path: Path) -> None:
    long = {"text": "This is a sentence of some length that is said again and again. " * 30, "delivery": "inline"}
    async with standing(tmp_path) as house:
        event = await done(house, batch(*[long] * 8))
    post = queue.done(event)
    assert len(json.dumps(post.complete())) < ANSWER_BYTES
    assert {item["status"] for item in event.answer["items"]} == {"failed"}
    assert {item["code"] for item in event.answer["items"]} == {"payload_too_large"}


async def test_a_zip_holds_every_file_that_was_made(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        asked = batch({**HELLO, "id": "../a b"}, {}, {**HELLO, "format": "mp3"}, zip=True)
        told = (await done(house, asked)).answer
        data = Path(told["zip"]["path"]).read_bytes()
    assert len(data) == told["zip"]["bytes"]
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        assert sorted(files.namelist()) == ["000-.._a_b.wav", "002.mp3"]
        assert files.read("000-.._a_b.wav").startswith(b"RIFF")
    assert told["items"][0]["audio"]["name"] == "000-.._a_b.wav"
    assert "data" not in told["items"][0]["audio"]


async def test_a_zip_without_a_place_for_it_is_refused_before_anything_is_spoken(tmp_path: Path) -> None:
    async with standing(tmp_path, AUDIO_OUTPUT_DIR="") as house:
        assert (await failed(house, batch(HELLO, zip=True))).error.code == "misconfigured"
        assert house.manager.residents() == []


async def test_a_cancelled_batch_leaves_no_file_and_frees_its_places(tmp_path: Path) -> None:
    async with standing(tmp_path, Score(costs={"speak": Cost(start=0.005)})) as house:
        stored = {"text": "Short.", "delivery": "volume"}
        endless = {"text": "A long one. " * 2000, "delivery": "volume"}
        job = Job("job", batch(stored, endless))

        async def stop() -> None:
            while not left(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            job.cancel.set()

        stopping = asyncio.create_task(stop())
        events = [event async for event in answer(job, house)]
        await stopping
        assert not any(isinstance(event, Done) for event in events)
        async with asyncio.timeout(60):
            while house.manager.residents()[0]["lines"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    assert [path for path in left(tmp_path) if path.suffix == ".wav"] == []
