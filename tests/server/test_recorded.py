"""The calls of programs that do not install here, sent as their sources write them, and what each does with the answer.

Read in November 2026 from: Open WebUI 0.7.0 (`routers/audio.py`, `lib/apis/audio`), SillyTavern 1.13.0
(`extensions/tts/openai-compatible.js`, `extensions/tts/xtts.js`, `endpoints/openai.js`) and wyoming_openai 0.4.1
(`compatibility.py`, `handler.py`). SillyTavern's ElevenLabs provider has its address written in: it cannot come here.
"""

import io
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from tests.houses import decoded
from tests.server.served import served
from tests.server.test_xtts import SETTINGS
from tests.voices.speaking import encoded, speech

TEXT = "Hello there. How are you?"
ALIASES = "tts-1=tone,tts-1-hd=tone,gpt-4o-mini-tts=tone"
FALLBACK = ("alloy", "echo", "fable", "onyx", "nova", "shimmer")
"""What Open WebUI and SillyTavern offer where they were told of no voices."""
HARDWIRED = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
"""What wyoming_openai offers for a server that it takes for OpenAI's own."""
USER = {
    "X-OpenWebUI-User-Name": "Some%20One",
    "X-OpenWebUI-User-Id": "1",
    "X-OpenWebUI-User-Email": "some@one.invalid",
    "X-OpenWebUI-User-Role": "admin",
}


async def offered(client: httpx.AsyncClient) -> tuple[list[str], dict[str, str]]:
    """Open WebUI's lists of models and voices: asked without a key, and fixed ones if anything is wrong."""
    models = await client.get("/v1/audio/models")
    voices = await client.get("/v1/audio/voices")
    if models.is_error or voices.is_error:
        return ["tts-1", "tts-1-hd"], {name: name for name in FALLBACK}
    return (
        [each["id"] for each in models.json().get("models", [])],
        {each["id"]: each["name"] for each in voices.json().get("voices", [])},
    )


async def read_aloud(client: httpx.AsyncClient, key: str, **body: Any) -> httpx.Response:
    """Open WebUI's backend: its page sends `input` and `voice`, the settings add the rest. No key: an empty one."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}".strip()} | USER
    return await client.post("/v1/audio/speech", json={"input": TEXT, **body}, headers=headers)


async def test_open_webui_offers_what_there_is_and_keeps_an_mp3(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "alice.wav").write_bytes(encoded(speech(1)))
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as client:
        models, voices = await offered(client)
        assert {"hibari", "kokoro"} <= set(models)
        assert {"low", "alice"} <= set(voices)
        for voice in ("low", "alice", "alloy"):
            answer = await read_aloud(client, "", voice=voice, model="tts-1")
            assert answer.content.startswith(b"ID3")
            assert len(decoded(answer.content)[0]) > 20_000
        tuned = await read_aloud(client, "", voice="low", model="tts-1", speed=1.5, response_format="mp3")
        assert len(decoded(tuned.content)[0]) < len(decoded(answer.content)[0])


async def test_open_webui_with_a_key_falls_back_on_names_that_speak(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL_ALIASES=ALIASES, API_KEYS="secret") as client:
        models, voices = await offered(client)
        for model in models:
            for voice in voices:
                answer = await read_aloud(client, "secret", voice=voice, model=model)
                assert answer.headers["content-type"] == "audio/mpeg"


async def test_open_webui_shows_why_a_line_was_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        answer = await read_aloud(client, "", voice="nobody", model="tone")
    assert answer.is_error
    assert "nobody" in f"External: {answer.json()['error']}"


async def test_open_webuis_elevenlabs_engine_reads_voices_and_keeps_an_mp3(tmp_path: Path) -> None:
    """With `ELEVENLABS_API_BASE_URL` here. Its list of models stays empty: `/v1/models` has OpenAI's shape."""
    key = {"xi-api-key": "secret", "Content-Type": "application/json"}
    async with served(tmp_path, API_KEYS="secret") as client:
        found = (await client.get("/v1/voices", headers=key)).json()
        voices = {each["voice_id"]: each["name"] for each in found.get("voices", [])}
        settings = {"stability": 0.5, "similarity_boost": 0.5}
        body = {"text": TEXT, "model_id": "eleven_multilingual_v2", "voice_settings": settings}
        headers = key | {"Accept": "audio/mpeg"}
        answer = await client.post(f"/v1/text-to-speech/{next(iter(voices))}", json=body, headers=headers)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert len(decoded(answer.content)[0]) > 20_000


async def test_sillytaverns_openai_provider_gets_an_mp3_and_is_told_why_not(tmp_path: Path) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer"}  # with no key
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as client:
        for voice in FALLBACK:
            body = {"input": TEXT, "response_format": "mp3", "voice": voice, "speed": 1, "model": "tts-1"}
            answer = await client.post("/v1/audio/speech", json=body, headers=headers)
            assert answer.content.startswith(b"ID3")
        refused = await client.post("/v1/audio/speech", json=body | {"speed": 4}, headers=headers)
    assert refused.is_error
    assert "0.5 to 2" in refused.text


PAGE = "http://127.0.0.1:8000"
"""Where SillyTavern's page is from: its XTTS provider asks out of the browser."""
FETCHED = {"Origin": PAGE, "Cache-Control": "no-cache", "Content-Type": "application/json"}


async def preflight(client: httpx.AsyncClient, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "cache-control,content-type"}
    answer = await client.options(path, headers={"Origin": PAGE} | asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE


async def test_sillytaverns_xtts_provider_finds_voices_sets_its_sliders_and_speaks(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "alice.wav").write_bytes(encoded(speech(1)))
    async with served(tmp_path, CORS_ORIGINS=PAGE) as client:
        for path in ("/set_tts_settings", "/tts_to_audio/"):
            await preflight(client, path)
        speakers = (await client.get("/speakers", headers={"Origin": PAGE})).json()
        voice = next(each for each in speakers if each["name"] == "alice")
        moved = {name: str(value) for name, value in SETTINGS.items() if name != "enable_text_splitting"}
        for settings in (SETTINGS, moved | {"enable_text_splitting": False}):
            assert (await client.post("/set_tts_settings", json=settings, headers=FETCHED)).is_success
        line = {"text": TEXT, "speaker_wav": voice["voice_id"], "language": "en"}
        whole = await client.post("/tts_to_audio/", json=line, headers=FETCHED)
        assert whole.headers["access-control-allow-origin"] == PAGE
        played = await client.get("/tts_stream/", params=line, headers={"Range": "bytes=0-", "Accept": "*/*"})
        preview = await client.get(voice["preview_url"])
        refused = await client.post("/tts_to_audio/", json=line | {"speaker_wav": "nobody"}, headers=FETCHED)
    assert decoded(whole.content)[0].shape == decoded(played.content)[0].shape
    assert preview.headers["content-type"] == "audio/wav"
    assert (refused.status_code, "nobody" in refused.text) == (404, True)


async def test_wyoming_openai_takes_the_server_for_openais_own_or_reads_voices_as_of_speaches(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as client:
        url = f"{client.base_url}/v1/"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as inside:
            assert (await inside.get("/readyz")).is_error  # LocalAI has it
            assert (await inside.get("../../health")).text != "OK"  # as Speaches says
            assert (await inside.get("/test")).is_error  # Kokoro-FastAPI has it
            speaches = (await inside.get("/models/tts-1")).json()
        for voice in (*HARDWIRED, *(each["name"] for each in speaches["voices"][:3])):
            assert (await spoken(url, voice)).samples


class Heard:
    """What wyoming_openai makes of the pieces: the first one's header says how all are played."""

    def __init__(self) -> None:
        self.rate = self.channels = self.width = 0
        self.samples = b""

    def take(self, piece: bytes) -> None:
        if not self.rate:
            file = io.BytesIO(piece)
            with wave.open(file, "rb") as header:
                self.rate, self.channels, self.width = (
                    header.getframerate(),
                    header.getnchannels(),
                    header.getsampwidth(),
                )
            piece = piece[file.tell() :]
        self.samples += piece


async def spoken(url: str, voice: str, **more: Any) -> Heard:
    """Its one request, for whole texts as for sentences of a streaming model: `wav`, read by 2,048 bytes."""
    heard = Heard()
    async with openai.AsyncOpenAI(api_key="none", base_url=url) as client:
        asked = {"model": "tts-1", "voice": voice, "input": TEXT, "response_format": "wav", **more}
        async with client.audio.speech.with_streaming_response.create(**asked) as answer:
            async for piece in answer.iter_bytes(chunk_size=2048):
                heard.take(piece)
    return heard


async def test_wyoming_openai_hears_exactly_what_is_in_the_file(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as client:
        url = f"{client.base_url}/v1/"
        heard = await spoken(url, "alloy", speed=1.0)
        body = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "wav"}
        samples, rate = decoded((await client.post("/v1/audio/speech", json=body)).content)
    assert (heard.rate, heard.channels, heard.width) == (rate, 1, 2)
    assert np.array_equal(np.frombuffer(heard.samples, "<i2"), np.round(samples * 32768).astype(np.int16))


async def test_wyoming_openai_is_told_where_a_model_takes_no_instructions(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as client:
        with pytest.raises(openai.BadRequestError, match="instructions"):
            await spoken(f"{client.base_url}/v1/", "alloy", instructions="Be brief.")
