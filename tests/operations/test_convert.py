import base64
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from basics.audio import Samples
from basics.events import Started
from models.engines.tone import Score
from tests.houses import answered, decoded, done, failed, joined, left, of, standing

RATE = 16_000


def speech(*seconds: float) -> Samples:
    """Stretches that swell and die as words do, with half a second between them."""
    parts = [np.zeros(RATE // 2, np.float32)]
    for each in seconds:
        at = np.arange(round(each * RATE)) / RATE
        voice = sum(np.sin(2 * np.pi * 140 * number * at) / number for number in range(1, 8))
        parts += [(0.2 * voice * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * at))).astype(np.float32)]
        parts += [np.zeros(RATE // 2, np.float32)]
    noise = np.random.default_rng(0).normal(0, 1e-4, sum(map(len, parts)))
    return (np.concatenate(parts) + noise).astype(np.float32)


def wav(samples: Samples) -> str:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return base64.b64encode(file.getvalue()).decode()


def asked(*seconds: float, **more: Any) -> dict[str, Any]:
    return {"op": "convert", "audio": wav(speech(*seconds)), "voice": "low", **more}


def hertz(sound: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    return float(np.argmax(spectrum) * rate / sound.size)


async def test_a_recording_is_said_again_in_another_voice_and_takes_as_long(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        event = await done(house, asked(3.0))
    assert event.data is not None
    sound, rate = decoded(event.data)
    assert hertz(sound, rate) == pytest.approx(220, abs=2)
    assert sound.size / rate == pytest.approx(3.0, abs=0.3)


async def test_the_answer_is_speaks(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        spoken = (await done(house, {"text": "Some words."})).answer
        told = (await done(house, asked(2.0))).answer
    assert set(told) == set(spoken)
    assert set(told["segments"][0]) == set(spoken["segments"][0])
    assert (told["model"], told["voice"], told["usage"]["characters"]) == ("tone", "low", 0)


async def test_a_long_recording_is_cut_at_its_pauses_and_keeps_them(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        told = (await done(house, asked(*[7.0] * 6))).answer
    segments = told["segments"]
    assert len(segments) == 3
    assert all(segment["duration"] <= 20 for segment in segments)
    for one, following in pairwise(segments):
        assert following["start"] - one["start"] - one["duration"] == pytest.approx(0.5, abs=0.2)
    assert told["usage"]["audio_seconds"] == pytest.approx(6 * 7.0 + 3 * 0.5, abs=1.0)


async def test_it_streams_as_speak_does(tmp_path: Path) -> None:
    async with standing(tmp_path, Score(stages=("decode", "vocode"))) as house:
        events = await answered(house, asked(3.0, delivery="stream", format="flac"))
    assert of(Started, events)
    sound, rate = decoded(joined(events))
    assert sound.size / rate == pytest.approx(3.0, abs=0.3)


async def test_the_same_request_is_the_same_sound_and_another_take_is_not(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        first, again, other = [await done(house, asked(2.0, take=take)) for take in (0, 0, 1)]
    assert first.data == again.data
    assert first.answer["seed"] == again.answer["seed"] != other.answer["seed"]


async def test_a_recording_may_be_the_voice_too(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        event = await done(house, asked(2.0, voice={"reference": wav(speech(3.0, 3.0))}))
    assert event.answer["voice"] == "inline"


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"voice": None}, "invalid_input", "voice"),
        ({"audio": None}, "invalid_input", "audio"),
        ({"audio": "aGVsbG8gd29ybGQ="}, "reference_not_audio", "audio"),
        ({"audio": "http://127.0.0.1/a.wav"}, "reference_refused", "audio"),
        ({"voice": "nobody"}, "unknown_voice", "voice"),
        ({"text": "hello"}, "invalid_input", "text"),
        ({"stamp": "watermark"}, "not_supported", "stamp"),
        ({"captions": "srt"}, "not_supported", "captions"),
        ({"keep": True}, "invalid_input", "keep"),
        ({"params": {"louder": 1}}, "invalid_input", "params.louder"),
        ({"sample_rate": 11_000, "format": "opus"}, "invalid_input", "sample_rate"),
        ({"model": "hibari"}, "not_supported", "model"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_left(
    tmp_path: Path, wrong: dict[str, Any], code: str, field: str
) -> None:
    async with standing(tmp_path / "house") as house:
        event = await failed(house, asked(2.0) | wrong)
    assert (event.error.code, event.error.field) == (code, field)
    assert not left(tmp_path / "house")


async def test_a_recording_without_speech_is_too_short(tmp_path: Path) -> None:
    silent = wav(np.zeros(3 * RATE, np.float32))
    async with standing(tmp_path) as house:
        event = await failed(house, asked() | {"audio": silent})
    assert event.error.code == "reference_too_short"


async def test_a_dry_run_tells_how_long_it_will_be(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        told = (await done(house, asked(3.0, dry_run=True))).answer
    assert told["estimated_seconds"] == pytest.approx(3.0, abs=0.3)
    assert told["characters"] == 0


async def test_a_model_that_converts_is_found_where_the_default_does_not(tmp_path: Path) -> None:
    async with standing(tmp_path, MODEL="hibari") as house:
        told = (await done(house, asked(2.0, dry_run=True))).answer
    assert told["model"] == "tone"


async def test_over_http_a_long_answer_fits_inline_where_the_queues_would_not(tmp_path: Path) -> None:
    long = asked(*[14.0] * 8, delivery="inline", sample_rate=48_000, dry_run=True)
    async with standing(tmp_path) as house:
        refused = await failed(house, long)
        told = (await done(house, long, wide=True)).answer
    assert refused.error.code == "payload_too_large"
    assert told["delivery"] == "inline"
