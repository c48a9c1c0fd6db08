"""Live speech in front of endpoints: one stream out of many jobs, whatever its format."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.events import Audio, Done, Event, Failed, Started
from models.engines.tone import Cost, Score
from operations.job import Job, Piece
from tests.houses import decoded, joined, of
from tests.platform.inside import until
from tests.server.gateways import Gateway, gateway

SAID = "The first sentence is here. And the second one follows. "
WORDS = [f"{word} " for word in SAID.split()]
SLOW = Score(costs={"speak": Cost(start=0.05)})


async def written(*texts: str) -> AsyncGenerator[Piece, None]:
    for text in texts:
        yield Piece(text)


def live(*texts: str, **input: Any) -> Job:
    return Job("live", {"model": "tone", "voice": "low"} | input, wide=True, written=written(*texts))


async def heard(front: Gateway, job: Job) -> list[Event]:
    async with aclosing(front.executor.perform(job)) as events:
        return [event async for event in events]


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "flac", "aac", "mulaw"])
async def test_stretches_are_one_valid_file_of_any_format(tmp_path: Path, format: str) -> None:
    async with gateway(tmp_path) as front:
        events = await heard(front, live(*WORDS, format=format))
        plain = await heard(front, live(*WORDS, format="pcm"))
    assert isinstance(events[-1], Done), events
    assert isinstance(events[0], Started)
    assert [event.seq for event in of(Audio, events)] == list(range(len(of(Audio, events))))
    audio = events[-1].answer["audio"]
    assert (audio["format"], audio["bytes"]) == (format, len(joined(events)))
    seconds = len(joined(plain)) / 48_000
    assert audio["duration"] == pytest.approx(seconds, abs=0.05)
    if format != "mulaw":
        samples, rate = decoded(joined(events))
        assert len(samples) / rate == pytest.approx(seconds, abs=0.25)


async def test_each_stretch_is_a_job_and_there_is_silence_between_them(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        events = await heard(front, live(SAID, "And a third.", format="pcm"))
        inputs = [record.job["input"] for record in front.plane.records.values()]
    assert [each["text"].strip() for each in inputs][-1] == "And a third."
    assert len(inputs) > 1
    last = events[-1]
    assert isinstance(last, Done)
    starts = [segment["start"] for segment in last.answer["segments"]]
    assert starts == sorted(starts)
    assert last.answer["usage"]["characters"] == len(SAID + "And a third.")
    samples = np.frombuffer(joined(events), np.int16)
    begins = round(starts[1] * 24_000)
    assert not np.any(samples[begins - 1200 : begins - 240]), "a pause lies before a stretch"
    for before, after in zip(of(Audio, events), of(Audio, events)[1:], strict=False):
        assert after.start == pytest.approx(before.start + before.duration, abs=0.01)


async def test_nothing_written_is_an_answer_without_sound_and_sends_no_job(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        [done] = await heard(front, live("  ", format="mp3"))
        assert isinstance(done, Done)
        assert (done.answer["audio"]["bytes"], front.plane.records) == (0, {})


async def test_a_stretch_that_fails_ends_it_and_leaves_no_job_behind(tmp_path: Path) -> None:
    async with gateway(tmp_path) as front:
        events = await heard(front, live(SAID * 3, voice="nobody", format="pcm"))
        assert isinstance(events[-1], Failed)
        assert events[-1].error.code == "unknown_voice"
        await until(lambda: all(record.final for record in front.plane.records.values()))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"text": "No."}, "invalid_input"),
        ({"format": "mp4"}, "invalid_input"),
        ({"stamp": "watermark"}, "not_supported"),
    ],
)
async def test_what_is_wrong_is_refused_before_a_job_is_sent(tmp_path: Path, wrong: dict[str, Any], code: str) -> None:
    async with gateway(tmp_path) as front:
        [failed] = await heard(front, live(SAID, **wrong))
        assert isinstance(failed, Failed)
        assert (failed.error.code, front.plane.records) == (code, {})


async def test_whoever_interrupts_cancels_what_is_on_its_way_and_no_more_is_sent(tmp_path: Path) -> None:
    async with gateway(tmp_path, SLOW) as front:
        events = front.executor.perform(live(SAID * 20, format="pcm"))
        async for event in events:
            if isinstance(event, Audio):
                break
        await events.aclose()
        assert len(front.plane.records) <= 3, "two are on their way at once, and one may have ended"
        await until(lambda: all(record.final for record in front.plane.records.values()))
        await until(lambda: not front.house.running)


async def test_a_writer_who_pauses_is_waited_for(tmp_path: Path) -> None:
    more = asyncio.Event()

    async def slowly() -> AsyncGenerator[Piece, None]:
        yield Piece("The first sentence is here. And")
        await more.wait()
        yield Piece(" the second.")

    async with gateway(tmp_path) as front:
        job = Job("live", {"model": "tone", "voice": "low", "format": "pcm"}, wide=True, written=slowly())
        async with aclosing(front.executor.perform(job)) as events:
            async for event in events:
                if isinstance(event, Audio):
                    more.set()
        assert isinstance(event, Done)
        assert len(front.plane.records) == 2
