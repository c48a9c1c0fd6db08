"""The Chatterbox plan's server as its clients meet it: speech, a socket, and voices called as if they were files."""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from safetensors.numpy import save
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from models.engines.tone import Cost, Score
from tests.houses import decoded
from tests.server.openspeaking import socket
from tests.server.served import house_of, served
from tests.voices.speaking import encoded, speech
from tests.voices.test_conditionals import NO_TORCH, parts

TEXT = "Hello there. How are you?"
SLOW = Score(costs={"speak": Cost(start=0.05)})
LONG = "One sentence after the other. " * 200


@cache
def sample() -> bytes:
    return encoded(speech(1))


async def uploaded(client: httpx.AsyncClient, name: str = "alice.wav", data: bytes | None = None) -> httpx.Response:
    return await client.post("/voices", files={"file": (name, sample() if data is None else data)})


async def heard(opened: ClientConnection) -> tuple[bytes, dict[str, Any]]:
    """All sound up to the next word, and the word."""
    sound = b""
    async with asyncio.timeout(60):
        while isinstance(message := await opened.recv(), bytes):
            sound += message
    return sound, json.loads(message)


async def quiet(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while house_of(client).running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("both_executors")
async def test_a_line_is_a_wav_sent_while_it_is_made(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        async with client.stream("POST", "/tts/generate", json={"text": TEXT}) as answer:
            sound = await answer.aread()
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(decoded(sound)[0]) > 20_000


@pytest.mark.usefixtures("both_executors")
async def test_a_voice_is_made_listed_spoken_with_and_deleted_with_or_without_its_ending(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        made = await uploaded(client)
        assert (made.status_code, made.json()["voice_id"]) == (201, "alice.pth")
        assert (await client.get("/voices")).json() == ["alice.pth"]
        sounds = [
            (await client.post("/tts/generate", json={"text": TEXT} | voice)).content
            for voice in ({"voice_id": "alice"}, {"voice_id": "alice.pth"}, {})
        ]
        assert sounds[0] == sounds[1] != sounds[2]
        gone = await client.delete("/voices/alice")
        assert (gone.status_code, set(gone.json())) == (200, {"message"})
        again = await client.delete("/voices/alice.pth")
        assert (again.status_code, again.json()) == (404, {"detail": "Voice 'alice' not found."})
        assert (await client.get("/voices")).json() == []


@pytest.mark.parametrize("id", ["nobody", "nobody.pth", "../etc/passwd", "low(0.5)+high(0.5)", "preset:low"])
async def test_a_voice_that_is_not_there_is_404_in_their_words(tmp_path: Path, id: str) -> None:
    async with served(tmp_path) as client:
        answer = await client.post("/tts/generate", json={"text": TEXT, "voice_id": id})
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Voice '{id.removesuffix('.pth')}' not found."}


async def test_a_file_of_conditionals_is_judged_and_becomes_a_voice(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        made = await uploaded(client, "Bob.safetensors", save(parts()))
        assert (made.status_code, made.json()["voice_id"]) == (201, "Bob.pth")
        assert [path.name for path in (tmp_path / "voices").iterdir()] == ["Bob.safetensors"]
        harm = await uploaded(client, "eve.pth", b"\x80\x04cposix\nsystem\n(S'true'\ntR.")
        assert (harm.status_code, list(harm.json())) == (422, ["detail"])
        zip = await uploaded(client, "mallory.pth", b"PK" + bytes(100))
        assert zip.status_code == (501 if NO_TORCH else 422)
        assert (await client.get("/voices")).json() == ["Bob.pth"]


REFUSED: list[tuple[str, bytes, int]] = [
    ("alice.wav", b"", 422),
    ("alice.wav", b"no sound at all" * 100, 422),
    ("爱丽丝.wav", b"x", 422),
]


async def test_what_makes_no_voice_is_refused_in_their_shape(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        for name, data, status in REFUSED:
            answer = await uploaded(client, name, data)
            assert (answer.status_code, list(answer.json())) == (status, ["detail"]), answer.text
        await uploaded(client)
        twice = await uploaded(client)
        assert (twice.status_code, twice.json()["detail"][:28]) == (409, "Voice 'alice' exists already")
        for body in ({"text": ""}, {"text": TEXT, "voice": "alice"}, {}):
            answer = await client.post("/tts/generate", json=body)
            assert (answer.status_code, list(answer.json())) == (422, ["detail"])
        asked = await client.post("/tts/generate/", json={"text": TEXT})
        assert asked.status_code == 200


async def test_a_model_that_does_not_read_conditionals_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        await uploaded(client, "bob.safetensors", save(parts()))
        answer = await client.post("/tts/generate", json={"text": TEXT, "voice_id": "bob.pth"})
    assert answer.status_code == 422
    assert "chatterbox" in answer.json()["detail"]


@pytest.mark.usefixtures("both_executors")
async def test_objects_on_the_socket_are_answered_one_after_the_other(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        whole = (await client.post("/tts/generate", json={"text": TEXT})).content
        async with socket(client, "/tts/stream") as opened:
            for text in (TEXT, "", "Another line."):
                await opened.send(json.dumps({"text": text}))
            first, done = await heard(opened)
            nothing, wrong = await heard(opened)
            second, after = await heard(opened)
    assert (first, done, after) == (whole, {"event": "done"}, {"event": "done"})
    assert (nothing, list(wrong)) == (b"", ["detail"])
    assert second.startswith(b"RIFF")


async def test_the_socket_tells_what_is_wrong_and_hangs_up_on_what_is_no_object(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        async with socket(client, "/tts/stream") as opened:
            await opened.send(json.dumps({"text": TEXT, "voice_id": "nobody.pth"}))
            assert await heard(opened) == (b"", {"detail": "Voice 'nobody' not found."})
            await opened.send("[]")
            assert list((await heard(opened))[1]) == ["detail"]
            with pytest.raises(ConnectionClosed):
                await opened.recv()


async def test_who_hangs_up_is_not_spoken_to_any_more(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client:
        async with socket(client, "/tts/stream") as opened:
            for _ in range(3):
                await opened.send(json.dumps({"text": LONG}))
            assert await opened.recv()
            assert len(house_of(client).running) == 1
        await quiet(client)
        async with client.stream("POST", "/tts/generate", json={"text": LONG}) as answer:
            await anext(answer.aiter_bytes())
        await quiet(client)


async def test_too_much_work_is_429_and_says_when_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        async with client.stream("POST", "/tts/generate", json={"text": LONG}):
            answer = await client.post("/tts/generate", json={"text": TEXT})
            assert (answer.status_code, list(answer.json())) == (429, ["detail"])
            assert int(answer.headers["retry-after"]) > 0


async def test_a_key_is_asked_for_on_the_socket_too(tmp_path: Path) -> None:
    async with served(tmp_path, API_KEYS="secret") as client:
        answer = await client.get("/voices")
        assert (answer.status_code, list(answer.json())) == (401, ["detail"])
        async with socket(client, "/tts/stream") as opened:
            assert list((await heard(opened))[1]) == ["detail"]
        async with socket(client, "/tts/stream?api_key=secret") as opened:
            await opened.send(json.dumps({"text": TEXT}))
            assert (await heard(opened))[1] == {"event": "done"}


async def test_a_server_that_clones_nothing_says_so_of_voices(tmp_path: Path) -> None:
    async with served(tmp_path, MODEL="hibari") as client:
        answer = await client.post("/tts/generate", json={"text": TEXT, "voice_id": "alice"})
    assert (answer.status_code, "MODEL_GROUP=cloning" in answer.json()["detail"]) == (501, True)
