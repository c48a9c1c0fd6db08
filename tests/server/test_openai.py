"""OpenAI's dialect, as its own client and the requests of others meet it."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from models.engines.tone import Cost, Score
from tests.houses import decoded
from tests.server.served import served

SPEECH = {"input": "Hello there.", "model": "tone", "voice": "low"}
ALIASES = "tts-1=tone,tts-1-hd=tone,gpt-4o-mini-tts=tone"
Asking = Callable[..., AbstractAsyncContextManager[openai.AsyncOpenAI]]


@asynccontextmanager
async def client(folder: Path, **environment: str) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own, unmodified, against a server of ours."""
    async with served(folder, MODEL_ALIASES=ALIASES, **environment) as server:
        async with openai.AsyncOpenAI(api_key="secret", base_url=f"{server.base_url}/v1") as theirs:
            yield theirs


def container(sound: bytes) -> str:
    marks = {b"RIFF": "wav", b"OggS": "opus", b"fLaC": "flac", b"ID3": "mp3", b"\xff\xfb": "mp3", b"\xff\xf3": "mp3"}
    marks |= {b"\xff\xf1": "aac", b"\xff\xf9": "aac"}
    return next((name for mark, name in marks.items() if sound.startswith(mark)), "pcm")


async def test_each_format_is_really_that_format(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        for format in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
            answer = await ask.audio.speech.create(
                input="Hello there.",
                model="tts-1",
                voice="alloy",
                response_format=format,
            )
            assert container(answer.content) == format
            if format != "pcm":
                samples, rate = decoded(answer.content)
                assert 0.5 < len(samples) / rate < 3


@pytest.mark.usefixtures("both_executors")
async def test_mp3_unless_asked_and_headers_say_who_spoke(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        answer = await ask.audio.speech.create(input="Hello there.", model="gpt-4o-mini-tts", voice="alloy")
        assert container(answer.content) == "mp3"
        headers = answer.response.headers
        assert (headers["content-type"], headers["x-model"], headers["x-voice"]) == ("audio/mpeg", "tone", "sine")


@pytest.mark.usefixtures("both_executors")
async def test_pcm_is_at_24_khz_whatever_the_model_speaks_at(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answers = {
            rate: await server.post("/v1/audio/speech", json=SPEECH | {"response_format": "pcm", "sample_rate": rate})
            for rate in (None, 12_000)
        }
    assert answers[None].headers["x-sample-rate"] == "24000"
    assert len(answers[None].content) == pytest.approx(2 * len(answers[12_000].content), rel=0.02)


@pytest.mark.usefixtures("both_executors")
async def test_a_stream_comes_piece_by_piece(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        streaming = ask.audio.speech.with_streaming_response
        async with streaming.create(
            input="One thing after the other. " * 20,
            model="tts-1",
            voice={"id": "low"},
            response_format="pcm",
        ) as answer:
            assert answer.headers.get("content-length") is None
            pieces = [piece async for piece in answer.iter_bytes()]
    assert len(pieces) > 1
    assert len(b"".join(pieces)) % 2 == 0


@pytest.mark.usefixtures("both_executors")
async def test_sse_tells_the_sound_and_then_what_it_took(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        streaming = ask.audio.speech.with_streaming_response
        async with streaming.create(
            input="Hello there.",
            model="gpt-4o-mini-tts",
            voice="nova",
            stream_format="sse",
            response_format="wav",
        ) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = [json.loads(line[6:]) async for line in answer.iter_lines() if line.startswith("data: ")]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert container(sound) == "wav"
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["input_tokens"] == len("Hello there.")


@pytest.mark.usefixtures("both_executors")
async def test_a_stream_of_events_that_breaks_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        asked = SPEECH | {"stream_format": "sse", "params": {"fail_after": 1.0}, "input": "A long sentence. " * 20}
        said = b""
        with pytest.raises(httpx.RemoteProtocolError):
            async with server.stream("POST", "/v1/audio/speech", json=asked) as answer:
                async for piece in answer.aiter_raw():
                    said += piece
    last = json.loads(said.decode().strip().rpartition("data: ")[2])
    assert last["type"] == "error"
    assert last["error"]["type"] == "server_error"


@pytest.mark.usefixtures("both_executors")
async def test_without_a_stream_the_file_has_an_exact_end(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        answer = await server.post("/v1/audio/speech", json=SPEECH | {"response_format": "wav", "stream": False})
    assert int.from_bytes(answer.content[4:8], "little") == len(answer.content) - 8


REFUSED: list[tuple[dict[str, Any], str, int]] = [
    ({"speed": 0.25}, "speed", 400),
    ({"speed": 4}, "speed", 400),
    ({"input": ""}, "input", 400),
    ({"input": "a" * 100_001}, "input", 413),
    ({"voice": "nobody"}, "voice", 404),
    ({"voice": {"id": "nobody"}}, "voice", 404),
    ({"voice": {"id": "low", "name": "x"}}, "voice", 400),
    ({"model": "nothing"}, "model", 404),
    ({"response_format": "midi"}, "response_format", 400),
    ({"instructions": "Whisper."}, "instructions", 400),
    ({"speeed": 1}, "speeed", 400),
    ({"stream_format": "sse", "stream": False}, "stream", 400),
    ({"params": {"nothing": 1}}, "params.nothing", 400),
]


@pytest.mark.usefixtures("both_executors")
async def test_what_cannot_be_had_is_an_error_in_their_shape(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for changed, param, status in REFUSED:
            answer = await server.post("/v1/audio/speech", json=SPEECH | changed)
            assert (answer.status_code, answer.headers["x-should-retry"]) == (status, "false"), changed
            error = answer.json()["error"]
            assert (error["param"], error["type"]) == (param, "invalid_request_error")
            assert set(error) == {"message", "type", "param", "code"}


async def test_the_message_speaks_of_their_fields_and_the_limit(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        fast = await server.post("/v1/audio/speech", json=SPEECH | {"speed": 4})
        strange = await server.post("/v1/audio/speech", json=SPEECH | {"vioce": "low"})
        empty = await server.post("/v1/audio/speech", json=SPEECH | {"input": ""})
        broken = await server.post("/v1/audio/speech", content=b"{")
    assert "0.5 to 2" in fast.json()["error"]["message"]
    assert "`voice`" in strange.json()["error"]["message"]
    assert "`input`" in empty.json()["error"]["message"]
    assert broken.json()["error"]["type"] == "invalid_request_error"


async def test_their_client_raises_what_it_raises_for_the_original_and_asks_once(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        with pytest.raises(openai.BadRequestError) as refused:
            await ask.audio.speech.create(input="x", model="tts-1", voice="alloy", instructions="Whisper.")
        assert (refused.value.code, refused.value.param) == ("not_supported", "instructions")
        with pytest.raises(openai.NotFoundError):
            await ask.audio.speech.create(input="x", model="whisper-1", voice="alloy")
    async with client(tmp_path, API_KEYS="another") as ask:
        with pytest.raises(openai.AuthenticationError) as unknown:
            await ask.audio.speech.create(input="x", model="tts-1", voice="alloy")
        assert unknown.value.code == "unauthorised"


@pytest.mark.usefixtures("both_executors")
async def test_models_are_listed_by_every_name_and_found_one_by_one(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        async with openai.AsyncOpenAI(api_key="x", base_url=f"{server.base_url}/v1") as ask:
            listed = {each.id: each async for each in await ask.models.list()}
            one = await ask.models.retrieve("tts-1")
            with pytest.raises(openai.NotFoundError):
                await ask.models.retrieve("parler-mini")
    assert {"hibari", "kokoro", "tts-1", "gpt-4o-mini-tts"} <= set(listed)
    assert one.model_extra is not None
    assert (one.id, one.model_extra["root"]) == ("tts-1", "kokoro")


async def test_the_routes_are_there_without_v1_and_where_open_webui_looks(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert (await server.post("/audio/speech", json=SPEECH)).status_code == 200
        assert (await server.get("/models")).json() == (await server.get("/v1/models")).json()
        assert (await server.get("/models/tone")).json()["root"] == "tone"
        named = (await server.get("/audio/models")).json()["models"]
        assert "kokoro" in [each["id"] for each in named]
        voices = (await server.get("/audio/voices")).json()["voices"]
        assert {"id", "name"} <= set(voices[0])


@pytest.mark.usefixtures("both_executors")
async def test_voices_are_the_models_presets_and_the_librarys(tmp_path: Path) -> None:
    folder = tmp_path / "voices" / "alice"
    folder.mkdir(parents=True)
    (folder / "voice.json").write_text(json.dumps({"id": "alice", "name": "Alice", "language": "en"}))
    async with served(tmp_path) as server:
        own = (await server.get("/v1/audio/voices")).json()
        others = (await server.get("/v1/audio/voices", params={"model": "kokoro"})).json()
        unknown = await server.get("/v1/audio/voices", params={"model": "nothing"})
    assert {"low", "alice"} <= {each["id"] for each in own["voices"]}
    assert "af_heart" in [each["id"] for each in others["voices"]]
    assert "alice" not in [each["id"] for each in others["voices"]]
    assert unknown.status_code == 404


@pytest.mark.usefixtures("both_executors")
async def test_a_stream_may_be_asked_for_as_home_assistants_integration_does(tmp_path: Path) -> None:
    body = {"input": "Hello there.", "model": "tts-1", "voice": "alloy", "response_format": "mp3", "stream": True}
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as server:
        answer = await server.post("/v1/audio/speech", json=body)
    assert container(answer.content) == "mp3"


async def test_a_warm_up_of_the_address_is_harmless(tmp_path: Path) -> None:
    async with client(tmp_path) as ask:
        with pytest.raises(openai.NotFoundError):
            await ask.get("/", cast_to=str)


async def test_a_failure_that_may_pass_asks_to_be_repeated(tmp_path: Path) -> None:
    slow = Score(costs={"speak": Cost(start=0.05)})
    async with served(tmp_path, slow, MAX_CONCURRENCY="1") as server:
        asked = SPEECH | {"input": "One sentence after the other. " * 200, "response_format": "pcm"}
        async with server.stream("POST", "/v1/audio/speech", json=asked):
            refused = await server.post("/v1/audio/speech", json=SPEECH)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "true")
    assert refused.json()["error"]["type"] == "rate_limit_error"
