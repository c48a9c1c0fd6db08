"""Anything at all on the live sockets: nothing is answered with a fault of ours, and nobody leaves anything behind."""

import asyncio
import json
import logging
import socket as sockets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server.served import house_of, served

pytestmark = pytest.mark.slow

PCM = {"model": "tone", "voice": "low", "format": "pcm"}
QUERY = "model_id=tone&output_format=pcm_24000"
OURS = "/v1/audio/stream"
THEIRS = tuple(f"/v1/text-to-speech/low/{way}?{QUERY}" for way in ("stream-input", "multi-stream-input"))

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("text", "speak", "flush", "cancel", "close_context", "close_socket", "context_id", "audio", "voice_settings",
         "generation_config", "pronunciation_dictionary_locators", "xi_api_key", "try_trigger_generation")  # fmt: skip
TEXTS = st.sampled_from(["Hi. ", "no", "", " ", "[pause:99]", "[pause:0.1] so ", "[", "<speak>", "\ud800", "\n\n"])
SPEAK = st.just(PCM) | st.dictionaries(st.sampled_from(["model", "voice", "speed", "format", "params"]), ANYTHING)
CONTEXTS = st.sampled_from(["", "a", "b", "\ud83d"])
RIGHT = {"text": TEXTS, "flush": st.booleans(), "close_context": st.booleans(), "context_id": CONTEXTS}
LIKELY = {
    OURS: st.fixed_dictionaries({}, optional=RIGHT | {"speak": SPEAK, "cancel": st.booleans()}),
    **dict.fromkeys(THEIRS, st.fixed_dictionaries({}, optional=RIGHT | {"voice_settings": st.none() | ANYTHING})),
}
LARGE = {
    "deep": "[" * 100_000,
    "long number": "1" * 5000,
    "long number inside": '{"text": ' + "9" * 5000 + "}",
    "long text": json.dumps({"text": "word " * 400}),
    "too long text": json.dumps({"text": "word " * 12_000}),
}
"""By name, so that a failure can be shown."""
FRAMES = (
    st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace").decode())
    | st.binary(max_size=30)
    | st.sampled_from(sorted(LARGE))
)
LEAVING = st.sampled_from(["politely", "at once", "half", "abruptly"])


def framed(way: str) -> st.SearchStrategy[list[str | bytes]]:
    wrong = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3) | ANYTHING
    return st.lists(LIKELY[way].map(json.dumps) | wrong.map(json.dumps) | FRAMES, max_size=8)


@asynccontextmanager
async def quietly(folder: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[httpx.AsyncClient]:
    """A server that has nothing on its hands in the end, and nothing to complain of."""
    async with served(folder) as client:
        assert (await client.get("/ping")).status_code == 200
        house, before = house_of(client), asyncio.all_tasks()
        yield client
        async with asyncio.timeout(60):
            while house.running or house.manager.residents()[0]["lines"] or asyncio.all_tasks() - before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def converse(client: httpx.AsyncClient, way: str, frames: list[str | bytes], leaving: str) -> None:
    address = str(client.base_url).replace("http", "ws", 1).rstrip("/") + way
    async with connect(address, proxy=None, close_timeout=1) as opened:
        listening = asyncio.create_task(heard(opened))
        with suppress(ConnectionClosed):
            for frame in frames:
                await opened.send(LARGE.get(frame, frame) if isinstance(frame, str) else frame)
            await leave(opened, way, leaving)
        async with asyncio.timeout(60):
            await listening
    assert opened.close_code != 1011


async def heard(opened: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in opened:
            if isinstance(message, str):
                told = json.loads(message)
                assert "internal" not in (told.get("code"), told.get("error"))


async def leave(opened: ClientConnection, way: str, leaving: str) -> None:
    if leaving == "politely":
        await opened.send(json.dumps({"text": ""} if way == THEIRS[0] else {"close_socket": True}))
        await asyncio.sleep(0)
    elif leaving == "half":
        opened.transport.get_extra_info("socket").shutdown(sockets.SHUT_WR)
    elif leaving == "abruptly":
        opened.transport.abort()
    else:
        await opened.close()


async def fuzzed(folder: Path, caplog: pytest.LogCaptureFixture, way: str, examples: int) -> None:
    async with quietly(folder, caplog) as client:
        loop = asyncio.get_running_loop()

        def run(doing: Coroutine[Any, Any, None]) -> None:
            asyncio.run_coroutine_threadsafe(doing, loop).result(60)

        await asyncio.to_thread(tried(way, examples, lambda *given: run(converse(client, way, *given))))


def tried(way: str, examples: int, converse: Callable[[list[str | bytes], str], None]) -> Callable[[], None]:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(framed(way), LEAVING)
    def each(frames: list[str | bytes], leaving: str) -> None:
        converse(frames, leaving)

    return each


@pytest.mark.parametrize("way", [OURS, *THEIRS], ids=["ours", "one context", "several contexts"])
async def test_no_message_ends_in_a_fault_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str) -> None:
    await fuzzed(tmp_path, caplog, way, 100)


@pytest.mark.parametrize("way", [OURS, THEIRS[1]], ids=["ours", "theirs"])
async def test_hundreds_of_contexts_are_refused_or_spoken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    frames: list[str | bytes] = [
        json.dumps({"context_id": str(number), "text": "Hello there. "} | ({"speak": PCM} if way == OURS else {}))
        for number in range(300)
    ]
    async with quietly(tmp_path, caplog) as client:
        await converse(client, way, frames, "politely")
        await converse(client, way, frames, "half")


async def test_a_frame_beyond_all_measure_ends_its_own_socket_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with quietly(tmp_path, caplog) as client:
        for way in (OURS, *THEIRS):
            await converse(client, way, ["x" * 20_000_000], "politely")
            await converse(client, way, [b"x" * 1_000_000], "politely")
        assert (await client.get("/ping")).status_code == 200


async def test_sockets_by_the_dozen_leave_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames: list[str | bytes] = [json.dumps({"text": "Hello there. How are you? ", "speak": PCM})]
    async with quietly(tmp_path, caplog) as client:
        await asyncio.gather(*(converse(client, OURS, frames, "abruptly") for _ in range(40)))


async def test_no_address_breaks_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames: list[str | bytes] = [json.dumps({"text": "Hi there. ", "context_id": "a"})]
    async with quietly(tmp_path, caplog) as client:
        for query in ("inactivity_timeout=0", "inactivity_timeout=x", "seed=[]", "model_id=%00", "x=%ff"):
            for way in ("stream-input", "multi-stream-input"):
                with suppress(InvalidStatus):
                    await converse(client, f"/v1/text-to-speech/%ff/{way}?{query}", frames, "politely")
