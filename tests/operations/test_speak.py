import asyncio
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.events import Audio, Done, Failed, Progress, Started
from models.engines.tone import Cost, Score
from operations.answer import answer
from operations.job import Job
from tests.houses import answered, decoded, done, failed, joined, left, of, standing

TEXT = "The first sentence is here. The second one follows it, and the third ends it all."
LONG = " ".join(f"This is sentence number {number} of a text that goes on for quite a while." for number in range(40))


def hertz(sound: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    return float(np.argmax(spectrum) * rate / sound.size)


async def test_a_file_plays_as_long_as_its_answer_says(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        event = await done(house, {"text": TEXT})
    assert event.data is not None
    sound, rate = decoded(event.data)
    audio = event.answer["audio"]
    assert (rate, audio["sample_rate"], audio["bytes"]) == (24_000, 24_000, len(event.data))
    assert sound.size / rate == pytest.approx(audio["duration"], abs=1e-3)
    assert audio["sha256"] == hashlib.sha256(event.data).hexdigest()
    assert "data" not in audio


async def test_an_answer_has_every_part_of_the_contract(tmp_path: Path) -> None:
    async with standing(tmp_path, GPU_PRICE_PER_HOUR="3.6") as house:
        told = (await done(house, {"text": TEXT})).answer
    legs = {"queued", "model", "voice", "first_audio", "synthesis", "encode", "upload", "total"}
    assert set(told["timings"]) == legs
    assert told["usage"]["characters"] == len(TEXT)
    assert told["usage"]["cost"] == pytest.approx(told["usage"]["gpu_seconds"] / 1000, abs=1e-6)
    assert (told["model"], told["voice"], told["cached"], told["warnings"]) == ("tone", "sine", False, [])
    assert " ".join(segment["text"] for segment in told["segments"]) == TEXT
    assert {"revision", "seed", "rtf"} <= set(told)


async def test_segments_say_where_they_are_heard(tmp_path: Path) -> None:
    turns = [
        {"text": "One of them speaks now.", "voice": "low"},
        {"text": "Another answers.", "voice": "high", "pause": 0.5},
    ]
    async with standing(tmp_path) as house:
        event = await done(house, {"turns": turns, "loudness": None})
    assert event.data is not None
    sound, rate = decoded(event.data)
    first, second = event.answer["segments"]
    assert (first["voice"], second["voice"]) == ("low", "high")
    assert second["start"] == pytest.approx(first["start"] + first["duration"] + 0.5, abs=1e-3)
    for segment, note in ((first, 220), (second, 880)):
        begin = round(segment["start"] * rate)
        assert hertz(sound[begin : begin + round(segment["duration"] * rate)], rate) == pytest.approx(note, abs=3)
    silence = sound[round((first["start"] + first["duration"]) * rate) + 2 : round(second["start"] * rate) - 2]
    assert np.max(np.abs(silence)) < 1e-4


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "flac", "aac", "pcm", "mulaw", "alaw"])
async def test_the_joined_stream_is_what_the_answer_says(tmp_path: Path, format: str) -> None:
    async with standing(tmp_path) as house:
        events = await answered(house, {"text": TEXT, "delivery": "stream", "format": format})
    chunks, data = of(Audio, events), joined(events)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    told = events[-1].answer["audio"]
    assert (told["bytes"], told["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    heard = 0.0
    for chunk in chunks:
        assert chunk.start == pytest.approx(heard)
        heard += chunk.duration
    assert heard == pytest.approx(told["duration"], abs=1e-3)
    assert " ".join(chunk.text for chunk in chunks if chunk.text) == TEXT
    assert left(tmp_path) == []


async def test_a_stream_and_a_file_say_the_same(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        asked = {"text": TEXT, "format": "wav", "loudness": None}
        file = await done(house, asked)
        stream = joined(await answered(house, asked | {"delivery": "stream"}))
    assert file.data is not None
    whole, streamed = decoded(file.data)[0], decoded(stream)[0]
    assert whole.size == streamed.size
    assert np.max(np.abs(whole - streamed)) < 2e-4


async def test_a_kept_stream_is_stored_byte_for_byte(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        events = await answered(house, {"text": TEXT, "delivery": "stream", "keep": True, "format": "mp3"})
    assert isinstance(events[-1], Done)
    assert Path(events[-1].answer["audio"]["path"]).read_bytes() == joined(events)


async def test_the_same_request_is_the_same_take_and_another_number_another(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        first, again, other = [await done(house, {"text": TEXT, "take": take}) for take in (0, 0, 1)]
    assert first.data == again.data
    assert first.answer["seed"] == again.answer["seed"] != other.answer["seed"]
    assert first.data != other.data


async def test_speed_and_pitch_change_what_they_say_and_nothing_else(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        plain, fast, high = [
            await done(house, {"text": "One line only.", "loudness": None} | more)
            for more in ({}, {"speed": 2}, {"pitch": 12})
        ]
    seconds = [event.answer["audio"]["duration"] for event in (plain, fast, high)]
    assert seconds[1] == pytest.approx(seconds[0] / 2, abs=0.06)
    assert seconds[2] == pytest.approx(seconds[0], abs=0.06)
    assert high.data is not None
    assert hertz(*decoded(high.data)) == pytest.approx(880, rel=0.02)


async def test_a_file_on_the_volume_is_where_the_answer_says(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        event = await done(house, {"text": TEXT, "delivery": "volume", "format": "flac"})
    path = Path(event.answer["audio"]["path"])
    assert event.data is None
    assert left(tmp_path) == [path]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == event.answer["audio"]["sha256"]


async def test_a_long_file_tells_its_beginning_and_no_chunks(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        events = await answered(house, {"text": LONG, "format": "mp3"})
    assert isinstance(events[0], Started)
    assert not of(Audio, events)
    assert all(event.segments == events[0].segments for event in of(Progress, events))


async def test_a_dry_run_loads_nothing(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        told = (await done(house, {"text": LONG, "dry_run": True})).answer
        assert house.manager.residents() == []
    assert told["delivery"] == "volume"
    assert told["estimated_bytes"] > 5e6
    assert " ".join(segment["text"] for segment in told["segments"]) == LONG


async def test_an_estimate_is_close_to_what_comes(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        told = (await done(house, {"text": LONG, "dry_run": True, "format": "pcm"})).answer
        event = (await done(house, {"text": LONG, "format": "pcm"})).answer
    assert event["audio"]["duration"] == pytest.approx(told["estimated_seconds"], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("delivery", ["stream", "inline", "volume"])
async def test_closing_the_road_at_any_point_leaves_nothing_behind(tmp_path: Path, delivery: str) -> None:
    out = tmp_path / "out"
    async with standing(out) as house:
        await house.manager.warm("tone")
        for stop in range(6):
            job = Job("job-1", {"text": LONG, "delivery": delivery, "keep": delivery == "stream", "format": "mp3"})
            road = answer(job, house)
            said = [await anext(road, None) for _ in range(stop)]
            if None in said:
                break
            job.cancel.set()
            await road.aclose()
            assert left(out) == []
            assert not house.running
            assert house.manager.residents()[0]["uses"] == 0
        assert isinstance((await answered(house, {"text": TEXT}))[-1], Done)
        assert house.manager.residents()[0]["lines"] == 0


async def test_a_flag_set_in_another_thread_ends_the_job(tmp_path: Path) -> None:
    score = Score(costs={"speak": Cost(start=0.01)})
    async with standing(tmp_path, score) as house:
        job = Job("job-1", {"text": LONG, "delivery": "stream"})
        events = []
        async for event in answer(job, house):
            events.append(event)
            if isinstance(event, Audio):
                await asyncio.to_thread(job.cancel.set)
    assert isinstance(events[-1], Failed)
    assert events[-1].error.code == "cancelled"


async def test_a_job_that_hangs_stops_before_it_is_killed(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await house.manager.warm("tone")
        object.__setattr__(house, "settings", house.settings.model_copy(update={"execution_seconds": 0.5}))
        event = await failed(house, {"text": TEXT, "params": {"stall_after": 0.5}, "delivery": "stream"})
        assert event.error.code == "timed_out"
        assert event.error.retryable
    assert left(tmp_path) == []


async def test_a_line_that_fails_fails_the_job_and_the_worker_speaks_on(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        event = await failed(house, {"text": TEXT, "params": {"fail_after": 0.5}, "delivery": "stream"})
        assert event.error.code == "internal"
        await done(house, {"text": TEXT})


async def test_many_jobs_at_once_each_get_their_own_voice(tmp_path: Path) -> None:
    notes = {"low": 220, "sine": 440, "high": 880}
    async with standing(tmp_path) as house:
        asked = [{"text": "A short line.", "voice": voice, "loudness": None} for voice in [*notes] * 3]
        events = await asyncio.gather(*(done(house, each) for each in asked))
    for each, event in zip(asked, events, strict=True):
        assert event.data is not None
        assert hertz(*decoded(event.data)) == pytest.approx(notes[str(each["voice"])], abs=3)


REFUSED: list[tuple[Any, str]] = [
    (None, "invalid_input"),
    ([], "invalid_input"),
    ("text", "invalid_input"),
    ({}, "invalid_input"),
    ({"text": ""}, "invalid_input"),
    ({"text": "   \n"}, "invalid_input"),
    ({"text": "a" * 100_001}, "text_too_long"),
    ({"text": "?!… —"}, "invalid_input"),
    ({"text": "🎉🎉"}, "invalid_input"),
    ({"text": "a\ud800b"}, "invalid_input"),
    ({"text": "a\x00b"}, "invalid_input"),
    ({"text": "a\x1bb"}, "invalid_input"),
    ({"text": "hi", "vioce": "sine"}, "invalid_input"),
    ({"text": 5}, "invalid_input"),
    ({"text": "hi", "speed": "fast"}, "invalid_input"),
    ({"text": "hi", "speed": 0}, "invalid_input"),
    ({"text": "hi", "speed": True}, "invalid_input"),
    ({"text": "hi", "turns": [{"text": "hi"}]}, "invalid_input"),
    ({"text": "hi", "model": "nobody"}, "unknown_model"),
    ({"text": "hi", "model": "chatterbox"}, "model_not_in_this_worker"),
    ({"text": "hi", "voice": "nobody"}, "unknown_voice"),
    ({"text": "hi", "voice": "nobody(0.5)+sine(0.5)"}, "unknown_voice"),
    ({"text": "hi", "language": "xx"}, "unsupported_language"),
    ({"text": "hi", "format": "midi"}, "invalid_input"),
    ({"text": "hi", "format": "opus", "sample_rate": 22_050}, "invalid_input"),
    ({"text": "hi", "bitrate": 64}, "invalid_input"),
    ({"text": "hi", "params": {"pich": 1}}, "invalid_input"),
    ({"text": "hi", "params": {"pitch": 99}}, "invalid_input"),
    ({"text": "hi", "delivery": "url"}, "misconfigured"),
    ({"text": "hi", "captions": "srt"}, "not_supported"),
    ({"text": "hi", "verify": True}, "not_supported"),
    ({"text": "hi", "lexicon": {"hi": "hello"}}, "not_supported"),
    ({"text": "hi", "instructions": "slowly"}, "not_supported"),
    ({"text": "hi", "key": "k"}, "not_supported"),
    ({"text": "hi", "normalize": False}, "not_supported"),
    ({"text": "hi", "stamp": "watermark"}, "not_supported"),
    ({"text": {"reference": "https://example.com/a.txt"}}, "not_supported"),
    ({"text": "hi", "voice_url": "https://127.0.0.1/a.wav"}, "reference_refused"),
    ({"text": "hi", "voice": {"reference": "/etc/passwd"}}, "reference_refused"),
    ({"text": "hi", "voice": {"reference": "volume:a.wav"}}, "reference_refused"),
    ({"text": "hi", "voice": {"reference": "s3://elsewhere/a.wav"}}, "reference_refused"),
    ({"text": "hi", "model": "hibari", "voice_url": "https://example.com/a.wav"}, "not_supported"),
    ({"text": "hi", "voice": {"design": "a calm man"}}, "not_supported"),
    ({"text": "hi [voice:low] there"}, "not_supported"),
    ({"text": "<speak>hi</speak>"}, "not_supported"),
    ({"text": "<speak>hi"}, "bad_markup"),
    ({"text": "hi [pause:11] there"}, "bad_markup"),
    ({"text": "hi", "keep": True}, "invalid_input"),
    ({"text": "hi", "s3Config": {"endpointUrl": "http://127.0.0.1:9"}}, "invalid_input"),
    ({"op": "speek", "text": "hi"}, "invalid_input"),
    ({"op": "batch", "items": []}, "invalid_input"),
    ({"op": ["speak"], "text": "hi"}, "invalid_input"),
    ({"openai_route": "/v1/audio/speech", "openai_input": {}}, "not_supported"),
]


@pytest.mark.parametrize(("input", "code"), REFUSED, ids=[str(input)[:40] for input, _ in REFUSED])
async def test_bad_input_is_refused_before_any_engine(tmp_path: Path, input: Any, code: str) -> None:
    async with standing(tmp_path) as house:
        error = (await failed(house, input)).error
        assert error.code == code
        assert house.manager.residents() == []
    assert left(tmp_path) == []
    assert str(tmp_path) not in str(error.as_dict())


async def test_a_private_bucket_endpoint_is_refused(tmp_path: Path) -> None:
    s3 = {"endpointUrl": "http://127.0.0.1:9", "accessId": "a", "accessSecret": "b", "bucketName": "bucket"}
    async with standing(tmp_path) as house:
        event = await failed(house, {"text": "hi", "delivery": "url"}, s3=s3)
        assert event.error.code == "reference_refused"
        assert house.manager.residents() == []


async def test_what_would_not_fit_is_refused_before_it_is_spoken(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        object.__setattr__(house, "settings", house.settings.model_copy(update={"audio_output_dir": None}))
        error = (await failed(house, {"text": LONG * 2, "delivery": "inline"})).error
        assert error.code == "payload_too_large"
        assert "mp3" in str(error.hint)
        assert house.manager.residents() == []
