"""The dialect of small XTTS servers: a recording in a form, lines by a speaker's name, and settings for all."""

import asyncio
from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from basics.errors import Failure
from basics.events import Done, Event, Failed
from basics.settings import Settings
from models.engines.tone import Cost, Score
from operations.background import Background
from operations.job import Job
from server.executor import Readiness
from tests.houses import decoded
from tests.server.served import house_of, listening, served
from tests.voices.speaking import encoded, speech

TEXT = "Hello there. How are you?"
SLOW = Score(costs={"speak": Cost(start=0.05)})
LONG = "One sentence after the other. " * 200
LINE = {"text": TEXT, "speaker_wav": "low", "language": "en"}
SETTINGS: dict[str, Any] = {
    "temperature": 0.75,
    "speed": 1,
    "length_penalty": 1.0,
    "repetition_penalty": 5.0,
    "top_p": 0.85,
    "top_k": 50,
    "enable_text_splitting": True,
    "stream_chunk_size": 100,
}


@cache
def sample() -> bytes:
    return encoded(speech(1))


async def synthesized(client: httpx.AsyncClient, data: bytes | None = None, **form: str) -> httpx.Response:
    files = {"speaker_audio": ("x.wav", sample() if data is None else data, "audio/wav")}
    return await client.post("/synthesize", data={"text": TEXT, "language": "en"} | form, files=files)


@pytest.mark.usefixtures("both_executors")
async def test_a_text_is_spoken_in_the_voice_of_a_recording_at_16_khz(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        answer = await synthesized(client)
        plain = await client.post("/tts_to_audio/", json=LINE)
    samples, rate = decoded(answer.content)
    assert (answer.headers["content-type"], rate) == ("audio/wav", 16_000)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-model"] == "tone"
    assert len(samples) / 16_000 == pytest.approx(len(decoded(plain.content)[0]) / 24_000, abs=0.2)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("both_executors")
async def test_a_line_comes_whole_or_as_it_is_made(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        whole = await client.post("/tts_to_audio/", json=LINE)
        async with client.stream("GET", "/tts_stream/", params=LINE) as answer:
            streamed = await answer.aread()
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["x-voice"] == "low"
    assert len(decoded(streamed)[0]) == len(decoded(whole.content)[0])


async def test_speakers_are_named_by_what_they_are_asked_for_with(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "alice.wav").write_bytes(sample())
    (tmp_path / "voices" / "low.wav").write_bytes(sample())
    async with served(tmp_path, BASE_PATH="/tts") as client:
        found = (await client.get("/tts/speakers")).json()
        known = {each["name"]: each for each in found}
        assert {"low", "alice", "library:low"} <= set(known)
        assert all(each["name"] == each["voice_id"] for each in found)
        assert known["low"]["preview_url"] is None
        heard = [await client.get(known[name]["preview_url"]) for name in ("alice", "library:low")]
        assert [answer.headers["content-type"] for answer in heard] == ["audio/wav"] * 2
        spoken = {
            name: (await client.post("/tts/tts_to_audio", json=LINE | {"speaker_wav": name})).content
            for name in ("low", "library:low", "alice", "alice.wav")
        }
    assert spoken["alice"] == spoken["alice.wav"]
    assert spoken["low"] != spoken["library:low"]


async def test_languages_are_those_of_the_model_by_their_names(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        assert (await client.get("/languages")).json() == {
            "languages": {"English": "en", "German": "de", "French": "fr", "Japanese": "ja"}
        }


async def test_settings_count_for_all_lines_to_come_and_tell_what_they_do_not_change(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        slow = (await client.post("/tts_to_audio", json=LINE)).content
        text = {name: str(value) for name, value in SETTINGS.items()} | {"speed": "2", "enable_text_splitting": True}
        for given in (SETTINGS | {"speed": 2}, text):
            answer = await client.post("/set_tts_settings", json=given)
            assert answer.status_code == 200, answer.text
            assert set(answer.json()["not_applied"]) == set(SETTINGS) - {"speed"}
            fast = (await client.post("/tts_to_audio", json=LINE)).content
            assert len(fast) == pytest.approx(len(slow) / 2, rel=0.15)
        for wrong in ({"speed": 4}, {"top_k": 0}, {"temperature": "hot"}, {"speeed": 1}):
            answer = await client.post("/set_tts_settings", json=SETTINGS | wrong)
            assert (answer.status_code, next(iter(wrong)) in answer.json()["detail"]) == (422, True)
        assert (await client.post("/tts_to_audio", json=LINE)).content == fast


class Playing:
    """An executor that has one model, which clones and never speaks, and keeps what was asked of it."""

    def __init__(self, model: str) -> None:
        knobs = dict.fromkeys(("temperature", "repetition_penalty", "top_k", "top_p", "warmth"))
        self.card = {"id": model, "clones": True, "options_schema": {"properties": knobs}}
        self.asked: list[dict[str, Any]] = []

    async def perform(self, job: Job) -> AsyncGenerator[Event, None]:
        self.asked.append(dict(job.input))
        yield Done(self.card) if job.input.get("op") == "models.get" else Failed(Failure("busy", "Played."))

    async def readiness(self) -> Readiness:
        return Readiness(True)

    async def metrics(self) -> str:
        return ""

    async def background(self) -> Background:
        raise Failure("not_supported", "Played.")

    async def close(self) -> None:
        return None


OWN = {"temperature": 0.75, "repetition_penalty": 5.0, "top_k": 50, "top_p": 0.85}


@pytest.mark.parametrize(("model", "params"), [("xtts-v2", OWN), ("chatterbox", None)])
async def test_knobs_reach_xtts_itself_and_no_other_model(model: str, params: dict[str, Any] | None) -> None:
    playing = Playing(model)
    async with listening(Settings.read({}), lambda: playing) as client:
        told = (await client.post("/set_tts_settings", json=SETTINGS | {"speed": 1.5})).json()
        await client.post("/tts_to_audio", json={"text": TEXT, "speaker_wav": "x.wav"})
    spoken = playing.asked[-1]
    assert (spoken["model"], spoken["voice"], spoken["speed"], spoken.get("params")) == (model, "x", 1.5, params)
    assert set(told["not_applied"]) == set(SETTINGS) - {"speed"} - set(params or {})
    assert sum("op" in asked for asked in playing.asked) <= 2, "who clones is looked up once"


REFUSED: list[tuple[dict[str, str], int]] = [
    ({"speaker_wav": "nobody"}, 404),
    ({"speaker_wav": "/etc/passwd"}, 404),
    ({"language": "xx"}, 422),
    ({"text": ""}, 422),
    ({"voice": "low"}, 422),
]


async def test_what_cannot_be_had_is_an_error_in_their_shape(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        for changed, status in REFUSED:
            posted = await client.post("/tts_to_audio", json=LINE | changed)
            got = await client.get("/tts_stream", params=LINE | changed)
            for answer in (posted, got):
                assert (answer.status_code, list(answer.json())) == (status, ["detail"]), (changed, answer.text)
        for form, data, status in (({}, b"", 422), ({"text": ""}, None, 422), ({"language": "xx"}, None, 422)):
            answer = await synthesized(client, data, **form)
            assert (answer.status_code, list(answer.json())) == (status, ["detail"])
            assert isinstance(answer.json()["detail"], str)


async def test_a_server_that_clones_nothing_still_speaks_with_its_own_voices(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL="hibari") as client:
        refused = await synthesized(client)
        assert (refused.status_code, "MODEL_GROUP=cloning" in refused.json()["detail"]) == (501, True)
        names = [each["name"] for each in (await client.get("/speakers")).json()]
        answer = await client.post("/tts_to_audio", json=LINE | {"speaker_wav": names[0]})
        assert (answer.status_code, answer.headers["x-model"]) == (200, "hibari")


async def test_who_hangs_up_is_not_spoken_to_any_more(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client:
        async with client.stream("GET", "/tts_stream", params=LINE | {"text": LONG[:5000]}) as answer:
            await anext(answer.aiter_bytes())
        asking = asyncio.ensure_future(synthesized(client, text=LONG))
        async with asyncio.timeout(60):
            while not house_of(client).running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            asking.cancel()
            while house_of(client).running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_too_much_work_is_429_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        async with client.stream("GET", "/tts_stream", params=LINE | {"text": LONG[:5000]}):
            for answer in (await client.post("/tts_to_audio", json=LINE), await synthesized(client)):
                assert (answer.status_code, list(answer.json())) == (429, ["detail"])
                assert int(answer.headers["retry-after"]) > 0
