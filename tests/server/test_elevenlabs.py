"""ElevenLabs' dialect over HTTP, as its own client meets it."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from elevenlabs import VoiceSettings
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError

from tests.houses import decoded
from tests.server.served import served

TEXT = "Hello there. How are you?"


@asynccontextmanager
async def client(folder: Path, **environment: str) -> AsyncIterator[AsyncElevenLabs]:
    """Theirs, unmodified, against a server of ours."""
    async with served(folder, **environment) as server:
        async with httpx.AsyncClient(trust_env=False) as wire:
            yield AsyncElevenLabs(api_key="secret", base_url=str(server.base_url).rstrip("/"), httpx_client=wire)


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@pytest.mark.usefixtures("both_executors")
async def test_a_file_is_mp3_at_44_100_hz_unless_asked(tmp_path: Path) -> None:
    async with client(tmp_path, API_KEYS="secret") as ask:
        sound = await joined(ask.text_to_speech.convert("low", text=TEXT, model_id="eleven_multilingual_v2"))
    samples, rate = decoded(sound)
    assert rate == 44_100
    assert len(samples) / rate > 1


HEADERLESS: dict[Any, int] = {"pcm_16000": 32_000, "pcm_24000": 48_000, "ulaw_8000": 8_000, "alaw_8000": 8_000}
"""Bytes a second."""
FORMATS: dict[Any, tuple[bytes, int]] = {
    "mp3_22050_32": (b"ID3", 22_050),
    "mp3_44100_192": (b"ID3", 44_100),
    "opus_48000_64": (b"OggS", 48_000),
    "wav_16000": (b"RIFF", 16_000),
}


async def test_headerless_formats_are_at_the_rate_they_name(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        samples, rate = decoded(await joined(ask.text_to_speech.convert("low", text=TEXT)))
        for output_format, bytes_a_second in HEADERLESS.items():
            sound = await joined(ask.text_to_speech.stream("low", text=TEXT, output_format=output_format))
            assert len(sound) / bytes_a_second == pytest.approx(len(samples) / rate, abs=0.1)


@pytest.mark.usefixtures("both_executors")
async def test_formats_are_what_they_say(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        for output_format, (mark, rate) in FORMATS.items():
            sound = await joined(ask.text_to_speech.convert("low", text=TEXT, output_format=output_format))
            assert sound.startswith(mark)
            assert decoded(sound)[1] == rate


@pytest.mark.usefixtures("both_executors")
async def test_speed_is_honoured_and_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    settings = VoiceSettings(stability=0.5, similarity_boost=0.7, speed=2.0)
    async with client(tmp_path) as ask:
        raw = ask.text_to_speech.with_raw_response
        async with raw.convert("low", text=TEXT, output_format="pcm_8000") as plain:
            slow = await joined(plain.data)
        async with raw.convert(
            "low",
            text=TEXT,
            output_format="pcm_8000",
            voice_settings=settings,
            previous_text="Before.",
        ) as set:
            fast = await joined(set.data)
            named = set.headers["x-not-applied"]
            assert set.headers["x-voice"] == "low"
    assert len(fast) == pytest.approx(len(slow) / 2, rel=0.15)
    assert named == "voice_settings.stability, voice_settings.similarity_boost, previous_text"
    assert "x-not-applied" not in plain.headers


@pytest.mark.usefixtures("both_executors")
async def test_a_file_with_timestamps_tells_each_characters_time(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        told = await ask.text_to_speech.convert_with_timestamps("low", text=TEXT, output_format="wav_24000")
    samples, rate = decoded(base64.b64decode(told.audio_base_64))
    assert told.alignment is not None
    starts, ends = told.alignment.character_start_times_seconds, told.alignment.character_end_times_seconds
    assert "".join(told.alignment.characters) == TEXT
    assert starts == sorted(starts)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert ends[-1] == pytest.approx(len(samples) / rate, abs=0.2)


@pytest.mark.usefixtures("both_executors")
async def test_a_stream_with_timestamps_tells_the_same(tmp_path: Path) -> None:
    text = "One thing. " * 5 + "\n\n" + "Another thing. " * 5
    async with client(tmp_path) as ask:
        chunks = [
            chunk
            async for chunk in ask.text_to_speech.stream_with_timestamps("low", text=text, output_format="pcm_24000")
        ]
    seconds = sum(len(base64.b64decode(chunk.audio_base_64)) for chunk in chunks) / 48_000
    heard = [chunk.alignment for chunk in chunks if chunk.alignment]
    said = " ".join("".join(each.characters) for each in heard)
    times = [time for each in heard for time in each.character_start_times_seconds]
    assert said.split() == text.split()
    assert times == sorted(times)
    assert heard[-1].character_end_times_seconds[-1] == pytest.approx(seconds, abs=0.05)


REFUSED: list[tuple[str, dict[str, Any], dict[str, str], int, str]] = [
    ("nobody", {}, {}, 404, "voice_not_found"),
    ("low", {"model_id": "nothing"}, {}, 404, "model_not_found"),
    ("low", {"language_code": "xx"}, {}, 400, "unsupported_language"),
    ("low", {"voice_settings": {"speed": 4}}, {}, 400, "invalid_input"),
    ("low", {"voice_settings": {"speeed": 1}}, {}, 400, "invalid_input"),
    ("low", {"text": ""}, {}, 400, "invalid_input"),
    ("low", {"pronunciation_dictionary_locators": [{}]}, {}, 400, "not_supported"),
    ("low", {"apply_text_normalization": "off"}, {}, 400, "not_supported"),
    ("low", {"apply_text_normalization": "perhaps"}, {}, 400, "invalid_input"),
    ("low", {}, {"output_format": "mp3"}, 400, "invalid_input"),
    ("low", {}, {"output_format": "mp3_44100_1"}, 400, "invalid_input"),
    ("low", {}, {"output_format": "opus_44100_64"}, 400, "invalid_input"),
    ("low", {}, {"enable_logging": "false"}, 400, "not_supported"),
]


@pytest.mark.usefixtures("both_executors")
async def test_what_cannot_be_had_is_an_error_in_their_shape(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for voice, changed, query, status, word in REFUSED:
            answer = await server.post(f"/v1/text-to-speech/{voice}", json={"text": TEXT} | changed, params=query)
            assert (answer.status_code, answer.json()["detail"]["status"]) == (status, word), (changed, query)
            assert set(answer.json()) == {"detail"}


async def test_their_key_is_asked_for_where_they_send_it(tmp_path: Path) -> None:
    async with client(tmp_path, API_KEYS="another") as ask:
        with pytest.raises(ApiError) as refused:
            await ask.text_to_speech.convert_with_timestamps("low", text=TEXT)
    assert refused.value.status_code == 401
    assert refused.value.body["detail"]["status"] == "invalid_api_key"


@pytest.mark.usefixtures("both_executors")
async def test_voices_are_listed_in_their_shape_and_found_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "voices" / "alice"
    folder.mkdir(parents=True)
    (folder / "voice.json").write_text(json.dumps({"id": "alice", "name": "Alice", "language": "en"}))
    async with client(tmp_path) as ask:
        listed = {each.voice_id: each for each in (await ask.voices.get_all()).voices}
        one = await ask.voices.get("low")
        with pytest.raises(ApiError) as unknown:
            await ask.voices.get("nobody")
    assert (listed["low"].category, listed["alice"].category) == ("premade", "cloned")
    assert listed["alice"].name == "Alice"
    assert one.voice_id == "low"
    assert unknown.value.status_code == 404
