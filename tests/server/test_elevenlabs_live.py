"""ElevenLabs' sockets: what their clients send, and what they read."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.server.served import served

QUERY = "model_id=tone&output_format=pcm_24000"


@asynccontextmanager
async def socket(
    client: httpx.AsyncClient, way: str = "multi-stream-input", query: str = QUERY, voice: str = "low", **headers: str
) -> AsyncIterator[ClientConnection]:
    base = str(client.base_url).replace("http", "ws", 1).rstrip("/")
    address = f"{base}/v1/text-to-speech/{voice}/{way}?{query}"
    async with connect(address, additional_headers=headers, proxy=None) as opened:
        yield opened


async def say(opened: ClientConnection, **message: Any) -> None:
    await opened.send(json.dumps(message))


async def until_final(opened: ClientConnection) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while not heard or not heard[-1]["isFinal"]:
            heard.append(json.loads(await opened.recv()))
    return heard


def sound(heard: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(message.get("audio") or "") for message in heard)


@pytest.mark.usefixtures("both_executors")
async def test_one_context_as_their_guide_shows_it(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client, "stream-input") as opened:
        settings = {"stability": 0.5, "similarity_boost": 0.8, "speed": 1.0}
        await say(opened, text=" ", voice_settings=settings, generation_config={"chunk_length_schedule": [120]})
        for word in ("Hello ", "there. ", "How ", "are ", "you?"):
            await say(opened, text=word, try_trigger_generation=True)
        await say(opened, text="")
        heard = await until_final(opened)
        assert len(sound(heard)) > 20_000
        assert "contextId" not in heard[0]
        assert heard[-1]["audio"] is None


@pytest.mark.usefixtures("both_executors")
async def test_contexts_as_voice_agents_use_them(tmp_path: Path) -> None:
    """An opening space, the text with a flush, and the close: LiveKit's order. Pipecat's keep-alive is empty text."""
    async with (
        served(tmp_path) as client,
        socket(client, query=f"{QUERY}&inactivity_timeout=180&auto_mode=true") as opened,
    ):
        for context in ("a", "b"):
            await say(opened, text=" ", voice_settings={}, context_id=context)
            await say(opened, text="Good evening to you. ", context_id=context)
            await say(opened, text="", context_id=context)
            await say(opened, text="")
            await say(opened, text="", context_id=context, flush=True)
            await say(opened, context_id=context, close_context=True)
        heard = await until_final(opened) + await until_final(opened)
        for context in ("a", "b"):
            own = [message for message in heard if message["contextId"] == context]
            assert own[-1]["isFinal"]
            assert len(sound(own)) > 20_000
        await say(opened, close_socket=True)
        await opened.wait_closed()
        assert opened.close_code == 1000


@pytest.mark.parametrize("counts_on", [False, True])
async def test_every_character_has_its_time(tmp_path: Path, counts_on: bool) -> None:
    """From the beginning of its message, as their document has it; from the context's where times are synchronised."""
    query = f"{QUERY}&sync_alignment={str(counts_on).lower()}"
    async with served(tmp_path) as client, socket(client, "stream-input", query) as opened:
        await say(opened, text="Hello there. How are you? ")
        await say(opened, text="")
        messages = await until_final(opened)
    heard = [message["alignment"] for message in messages if message.get("alignment")]
    assert "".join("".join(times["chars"]) for times in heard).split() == "Hello there. How are you?".split()
    ended = 0
    for times in heard:
        starts, durations = times["charStartTimesMs"], times["charDurationsMs"]
        assert starts[0] == pytest.approx(ended, abs=1)
        assert all(
            later == pytest.approx(start + took, abs=2)
            for start, took, later in zip(starts, durations, starts[1:], strict=False)
        )
        ended = starts[-1] + durations[-1] if counts_on else 0
    seconds = len(sound(messages)) / 48_000
    assert sum(sum(times["charDurationsMs"]) for times in heard) / 1000 == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize(
    ("query", "voice", "status"),
    [
        (QUERY, "nobody", "voice_not_found"),
        ("model_id=nothing&output_format=pcm_24000", "low", "model_not_found"),
        ("model_id=tone&output_format=mp4_1", "low", "invalid_input"),
        (f"{QUERY}&enable_ssml_parsing=true", "low", "not_supported"),
        (f"{QUERY}&surprise=1", "low", "invalid_input"),
    ],
)
async def test_what_cannot_be_had_is_said_in_their_words(tmp_path: Path, query: str, voice: str, status: str) -> None:
    async with served(tmp_path) as client, socket(client, query=query, voice=voice) as opened:
        with suppress(ConnectionClosed):
            await say(opened, text="Hello. There", context_id="a")
        heard = await until_final(opened)
        assert heard[-1]["error"] == status


async def test_a_key_may_come_in_the_first_message(tmp_path: Path) -> None:
    async with served(tmp_path, API_KEYS="secret") as client:
        async with socket(client, "stream-input") as opened:
            await say(opened, text=" ", xi_api_key="secret")
            await say(opened, text="Hello.")
            await say(opened, text="")
            assert sound(await until_final(opened))
        async with socket(client, "stream-input") as opened:
            await say(opened, text=" ", xi_api_key="wrong")
            assert (await until_final(opened))[-1]["error"] == "invalid_api_key"


async def test_a_context_in_which_nobody_writes_is_spoken_to_its_end(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client, query=f"{QUERY}&inactivity_timeout=1") as opened:
        await say(opened, text="And then he said", context_id="a")
        assert sound(await until_final(opened))
