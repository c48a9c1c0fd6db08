"""The live socket as a client sees it: text in, sound out, several contexts, silence on demand."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from models.engines.tone import Cost, Score
from operations.job import Piece
from server.live import MESSAGE_CHARS, MOST_CONTEXTS, WAITING_CHARS, Context, End, Opening
from tests.server.served import house_of, served

PCM = {"model": "tone", "voice": "low", "format": "pcm"}
SLOW = Score(costs={"speak": Cost(start=0.02)})
LONG = "This is one more sentence of many. " * 200


@asynccontextmanager
async def socket(client: httpx.AsyncClient, **headers: str) -> AsyncIterator[ClientConnection]:
    address = str(client.base_url).replace("http", "ws", 1).rstrip("/") + "/v1/audio/stream"
    async with connect(address, additional_headers=headers, proxy=None) as opened:
        yield opened


async def say(opened: ClientConnection, **message: Any) -> None:
    await opened.send(json.dumps(message))


async def hear(opened: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(60):
        message: dict[str, Any] = json.loads(await opened.recv())
    return message


async def until(opened: ClientConnection, event: str) -> list[dict[str, Any]]:
    heard = [await hear(opened)]
    while heard[-1]["event"] != event:
        assert heard[-1]["event"] != "error", heard[-1]
        heard.append(await hear(opened))
    return heard


async def quiet(client: httpx.AsyncClient) -> None:
    """Until nobody speaks."""
    house = house_of(client)
    async with asyncio.timeout(60):
        while house.running or house.manager.residents()[0]["lines"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_it_is_heard_before_its_sentence_is_whole(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text="The first sent", speak=PCM)
        assert (await until(opened, "audio"))[0]["event"] == "started"
        await say(opened, text="ence is here. And the second.", close_context=True)
        heard = await until(opened, "done")
        assert heard[-1]["isFinal"]
        said = [part["text"] for part in heard[-1]["answer"]["segments"]]
        assert said == ["The first sentence is here. And the second."]


async def test_a_flush_speaks_half_a_word_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text="Half a sen", speak=PCM, flush=True)
        said: list[str] = []
        while " ".join(filter(None, said)) != "Half a sen":
            said.append((await until(opened, "audio"))[-1]["text"])


async def test_every_word_has_its_time_in_order(tmp_path: Path) -> None:
    text = "When the sun had finally set, the lamps were lit."
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, speak=PCM)
        for token in text.split():
            await say(opened, text=f"{token} ")
        await say(opened, close_context=True)
        heard = await until(opened, "done")
    words = [word for message in heard for word in message.get("words", ())]
    assert " ".join(word["text"] for word in words) == text
    starts = [word["start"] for word in words]
    assert starts == sorted(starts)
    assert all(word["start"] < word["end"] for word in words)
    assert words[-1]["end"] == pytest.approx(heard[-1]["answer"]["audio"]["duration"], abs=0.1)


async def test_what_follows_in_a_closed_context_is_the_next_utterance(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client, socket(client) as opened:
        for text in ("One is here.", "Two is there.", "Three is gone."):
            await say(opened, text=text, speak=PCM, close_context=True)
        said = [(await until(opened, "done"))[-1]["answer"]["segments"][0]["text"] for _ in range(3)]
        assert said == ["One is here.", "Two is there.", "Three is gone."]


async def test_an_utterance_that_does_not_say_how_is_spoken_as_the_first(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        for context, speak in (("a", PCM | {"voice": "high"}), ("b", PCM), ("c", {})):
            await say(opened, context_id=context, text="Hello there.", speak=speak, close_context=True)
        heard = [message for _ in range(3) for message in await until(opened, "done")]
        voices = {message["contextId"]: message["voice"] for message in heard if message["event"] == "started"}
        assert voices == {"a": "high", "b": "low", "c": "high"}


async def test_what_follows_a_failure_is_not_spoken_by_somebody_else(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text="Hello ", speak=PCM | {"voice": "nobody"})
        assert (await hear(opened))["code"] == "unknown_voice"
        await say(opened, text="there. How are you? ", flush=True)
        await say(opened, text="I am well.", close_context=True)
        await say(opened, text="Anew.", speak=PCM, close_context=True)
        heard = await until(opened, "done")
        assert [part["text"] for part in heard[-1]["answer"]["segments"]] == ["Anew."]


async def test_a_failed_utterance_may_be_begun_again(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text="Hello ", speak=PCM | {"voice": "nobody"})
        assert (await hear(opened))["code"] == "unknown_voice"
        await say(opened, text="Hello again.", speak=PCM, close_context=True)
        await until(opened, "done")


async def test_who_is_leaving_may_still_be_silenced(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client, socket(client) as opened:
        await say(opened, text=LONG, speak=PCM, close_socket=True)
        await until(opened, "audio")
        await say(opened, cancel=True)
        await until(opened, "cancelled")
        await opened.wait_closed()
        assert opened.close_code == 1000


@pytest.mark.usefixtures("both_executors")
async def test_a_cancel_is_silence_and_the_socket_speaks_on(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client, socket(client) as opened:
        await say(opened, context_id="one", text=LONG, speak=PCM)
        await until(opened, "audio")
        await say(opened, context_id="one", cancel=True)
        await until(opened, "cancelled")
        await say(opened, context_id="two", text="Hello again.", speak=PCM, close_context=True)
        heard = await until(opened, "done")
        assert {message["contextId"] for message in heard} == {"two"}


@pytest.mark.usefixtures("both_executors")
async def test_contexts_speak_side_by_side_each_in_its_own_voice(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        for context, voice in (("a", "low"), ("b", "high")):
            await say(opened, context_id=context, text="Hello there.", speak=PCM | {"voice": voice}, close_context=True)
        heard = await until(opened, "done") + await until(opened, "done")
        voices = {message["contextId"]: message["voice"] for message in heard if message["event"] == "started"}
        assert voices == {"a": "low", "b": "high"}
        assert {message["contextId"] for message in heard if message["event"] == "audio"} == {"a", "b"}


async def test_sound_can_come_as_bytes_right_behind_what_announces_it(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        for context in "abcd":
            await say(opened, context_id=context, text="Hello there.", speak=PCM, audio="binary")
        await say(opened, close_socket=True)
        announced, sounds = None, 0
        async for message in opened:
            if isinstance(message, bytes):
                assert len(message) == announced
                sounds, announced = sounds + 1, None
            else:
                assert announced is None
                announced = json.loads(message).get("bytes")
        assert sounds >= 4


@pytest.mark.usefixtures("both_executors")
async def test_closing_the_socket_politely_speaks_all_to_the_end(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text="One is here. Two is there", speak=PCM, close_socket=True)
        messages = [json.loads(message) async for message in opened]
        assert messages[-1]["event"] == "done"
        assert sum(len(base64.b64decode(message.get("audio", ""))) for message in messages) > 10_000


@pytest.mark.usefixtures("both_executors")
async def test_a_client_that_hangs_up_frees_its_places(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client:
        async with socket(client) as opened:
            for context in "abc":
                await say(opened, context_id=context, text=LONG, speak=PCM)
            await until(opened, "audio")
        await quiet(client)


async def test_a_client_that_takes_nothing_holds_up_only_itself(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as deaf:
        for _ in range(40):
            await say(deaf, text=LONG, speak={} if _ else PCM | {"format": "wav"})
        async with socket(client) as opened:
            await say(opened, text="Hello.", speak=PCM, close_context=True)
            await until(opened, "done")
        assert house_of(client).manager.residents()[0]["audio_seconds"] < 600  # of five hours that were written
        deaf.transport.abort()
        await quiet(client)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"speak": PCM | {"voice": "nobody"}, "text": "Hi."}, "unknown_voice"),
        ({"speak": PCM | {"delivery": "url"}, "text": "Hi."}, "invalid_input"),
        ({"txt": "Hi."}, "invalid_input"),
        ({"text": 3}, "invalid_input"),
        ("[]", "invalid_input"),
        ("{", "invalid_input"),
    ],
)
async def test_what_is_wrong_is_said_in_a_message(tmp_path: Path, wrong: Any, code: str) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await opened.send(wrong if isinstance(wrong, str) else json.dumps(wrong))
        heard = await hear(opened)
        assert (heard["event"], heard["code"]) == ("error", code)


@pytest.mark.usefixtures("both_executors")
async def test_an_error_in_one_context_leaves_the_others_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, context_id="bad", text="Hi.", speak=PCM | {"voice": "nobody"}, flush=True)
        assert (await hear(opened))["contextId"] == "bad"
        await say(opened, context_id="good", text="Hello there.", speak=PCM, close_context=True)
        await until(opened, "done")


async def test_one_context_too_many_is_told_so_and_the_others_speak_on(tmp_path: Path) -> None:
    async with served(tmp_path) as client, socket(client) as opened:
        for number in range(MOST_CONTEXTS + 1):
            await say(opened, context_id=str(number), speak=PCM)
        refused = await hear(opened)
        assert (refused["code"], refused["contextId"]) == ("busy", str(MOST_CONTEXTS))
        await say(opened, context_id="0", text="Hello there.", close_context=True)
        await until(opened, "done")
        await say(opened, context_id="another", text="Hello there.", speak=PCM, close_context=True)
        await until(opened, "done")


async def test_a_key_is_asked_for_in_a_header_the_address_or_the_first_message(tmp_path: Path) -> None:
    async with served(tmp_path, API_KEYS="secret") as client:
        async with socket(client) as opened:
            await say(opened, text="Hi.", speak=PCM)
            assert (await hear(opened))["code"] == "unauthorised"
            with pytest.raises(ConnectionClosed):
                await opened.recv()
        async with socket(client, **{"xi-api-key": "secret"}) as opened:
            await say(opened, text="Hi there.", speak=PCM, close_context=True)
            await until(opened, "done")
        async with socket(client) as opened:
            await say(opened, text="Hi there.", speak=PCM, close_context=True, xi_api_key="secret")
            await until(opened, "done")


async def test_messages_as_elevenlabs_has_them_are_understood(tmp_path: Path) -> None:
    slow = {"stability": 0.5, "speed": 0.5}
    async with served(tmp_path) as client, socket(client) as opened:
        await say(opened, text=" ", speak=PCM, voice_settings=slow, generation_config={"chunk_length_schedule": [120]})
        await say(opened, text="Hello there. ", try_trigger_generation=True)
        await say(opened, text="Hello there.", flush=True)
        await say(opened, close_context=True)
        heard = await until(opened, "done")
        assert heard[-1]["answer"]["audio"]["duration"] == pytest.approx(2 * 25 / 15, abs=0.3)
        await say(opened, text=" ", pronunciation_dictionary_locators=[{"pronunciation_dictionary_id": "x"}])
        assert (await hear(opened))["code"] == "not_supported"


async def test_a_context_is_kept_by_empty_messages() -> None:
    context, heard = Context(idle_seconds=3.5), list[str]()
    await context.put(Opening({}))

    async def read() -> None:
        async for _, written in context.utterances():
            heard.extend([piece.text async for piece in written])

    reading = asyncio.create_task(read())
    for text in ("", "", "", "Still here."):
        await asyncio.sleep(1.0)
        await context.put(Piece(text))
    await context.put(End())
    await reading
    assert heard == ["", "", "", "Still here."]


async def test_whoever_writes_more_than_may_wait_is_held_until_some_is_read() -> None:
    context, put = Context(idle_seconds=60.0), 0
    await context.put(Opening({}))

    async def write() -> None:
        nonlocal put
        while True:
            await context.put(Piece("x" * 9_900))
            put += 1

    async def settled() -> int:
        for _ in range(100):
            await asyncio.sleep(0)
        return put

    writing = asyncio.create_task(write())
    before = await settled()
    assert WAITING_CHARS < before * 10_000 + MESSAGE_CHARS <= WAITING_CHARS + 10_000
    _, written = await anext(context.utterances())
    for _ in range(5):
        await anext(written)
    assert before + 5 <= await settled() <= before + 6
    writing.cancel()
