"""Our clients over HTTP and at a RunPod endpoint: the same calls, the same answers, errors as exceptions."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from basics.errors import CODES
from client import AsyncClient, Busy, Client, NotFound, NotSupported, TTSError, Unauthorised, Unreachable
from client.errors import CLASSES
from models.engines.tone import Cost, Score
from operations.house import House
from operations.opening import around
from tests.houses import decoded, standing
from tests.platform.control_plane import ControlPlane
from tests.platform.inside import until, working
from tests.server.served import house_of, served
from tests.voices.speaking import encoded, speech

TEXT = "One sentence. And a second one."
LONG = "One sentence after the other. " * 200
SLOW = Score(costs={"speak": Cost(start=0.05)})


@dataclass
class Place:
    address: str
    key: str
    house: House
    plane: ControlPlane | None = None


@asynccontextmanager
async def server(folder: Path, score: Score | None = None) -> AsyncIterator[Place]:
    async with served(folder, score, API_KEYS="secret") as client:
        yield Place(str(client.base_url), "secret", house_of(client))


@asynccontextmanager
async def endpoint(folder: Path, score: Score | None = None) -> AsyncIterator[Place]:
    async with standing(folder, score) as house:
        await house.manager.warm("tone")
        with ControlPlane() as plane:
            async with working(plane, around(house).answer):
                yield Place(f"{plane.url}/v2/ep", "loopback", house, plane)


@pytest.fixture(params=[server, endpoint], ids=["server", "endpoint"])
def place(request: pytest.FixtureRequest) -> Iterator[object]:
    return request.param


def blocking(at: Place) -> tuple[bytes, bytes, list[str], list[str], dict[str, object]]:
    with Client(at.address, at.key) as client:
        whole = client.say(TEXT, format="flac", voice="low")
        assert (whole.format, whole.answer["voice"]) == ("flac", "low")
        stream = client.stream(TEXT, format="wav")
        joined = b"".join(stream)
        assert stream.started["model"] == "tone"
        reference = "data:audio/wav;base64," + base64.b64encode(encoded(speech(1))).decode()
        client.ask("voices.create", id="alice", reference=reference)
        voices = [voice["id"] for voice in client.voices()]
        return whole.data, joined, voices, [model["id"] for model in client.models()], stream.answer


async def test_the_blocking_client_says_streams_and_lists(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async with place(tmp_path) as at:
        whole, joined, voices, models, answer = await asyncio.to_thread(blocking, at)
    assert decoded(whole)[1] == 24_000
    assert abs(len(decoded(whole)[0]) - len(decoded(joined)[0])) < 24_000
    assert voices == ["alice"]
    assert "hibari" in models
    assert answer["model"] == "tone"


async def test_the_awaiting_client_does_the_same(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async with place(tmp_path) as at, AsyncClient(at.address, at.key) as client:
        whole = await client.say(TEXT, format="flac")
        async with client.stream(TEXT, format="pcm") as stream:
            joined = b"".join([piece async for piece in stream])
        assert decoded(whole.data)[1] == 24_000
        assert len(joined) == stream.answer["audio"]["bytes"]
        assert await client.voices() == []
        assert any(model["served"] for model in await client.models())


async def test_refusals_are_exceptions_by_their_family(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async with place(tmp_path) as at, AsyncClient(at.address, at.key) as client:
        with pytest.raises(NotFound) as told:
            await client.say(TEXT, voice="nobody")
        assert (told.value.code, told.value.field, told.value.retryable) == ("unknown_voice", "voice", False)
        with pytest.raises(NotSupported):
            await client.say(TEXT, captions="srt")
        async with AsyncClient(at.address, "wrong") as stranger:
            with pytest.raises(Unauthorised):
                await stranger.say(TEXT)


async def test_leaving_a_stream_ends_the_job(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async with place(tmp_path, SLOW) as at, AsyncClient(at.address, at.key) as client:
        async with client.stream(LONG, format="pcm") as stream:
            async for _ in stream:
                break
            assert at.house.running
        await until(lambda: not at.house.running)


async def test_leaving_a_blocking_stream_ends_the_job(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def leave(at: Place) -> None:
        with Client(at.address, at.key) as client, client.stream(LONG, format="pcm") as stream:
            next(iter(stream))

    async with place(tmp_path, SLOW) as at:
        await asyncio.to_thread(leave, at)
        await until(lambda: not at.house.running)


async def test_too_much_is_tried_again_and_told_in_the_end(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as web:
        async with AsyncClient(str(web.base_url)) as client, client.stream(LONG, format="pcm") as stream:
            async for _ in stream:
                break
            async with AsyncClient(str(web.base_url), tries=1) as second:
                with pytest.raises(Busy) as told:
                    await second.say(TEXT)
                assert told.value.retryable
            async with AsyncClient(str(web.base_url)) as patient:
                waiting = asyncio.ensure_future(patient.say(TEXT))
                await asyncio.sleep(0)
                await stream.close()
                assert (await waiting).data


async def test_a_throttled_endpoint_is_asked_again(tmp_path: Path) -> None:
    async with endpoint(tmp_path) as at, AsyncClient(at.address, at.key) as client:
        assert at.plane is not None
        at.plane.client.refuse("run", 429)
        at.plane.client.refuse("stream", 502)
        assert (await client.say(TEXT)).data
        assert len(at.plane.records) == 1


async def test_a_job_whose_submission_went_unanswered_is_not_sent_twice(tmp_path: Path) -> None:
    async with endpoint(tmp_path) as at, AsyncClient(at.address, at.key) as client:
        assert at.plane is not None
        at.plane.client.lose("run")
        with pytest.raises(Unreachable, match="not sent again"):
            await client.say(TEXT)
        assert at.plane.client.calls["run"] == 1


async def test_a_part_of_a_stream_that_was_lost_ends_it(tmp_path: Path) -> None:
    async with endpoint(tmp_path, SLOW) as at, AsyncClient(at.address, at.key) as client:
        assert at.plane is not None
        with pytest.raises(Unreachable, match="lost on the way"):
            async with client.stream(LONG, format="pcm") as stream:
                pieces = aiter(stream)
                await anext(pieces)
                at.plane.client.lose("stream")
                async for _ in pieces:
                    pass
        await until(lambda: not at.house.running)


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with AsyncClient("http://127.0.0.1:9", tries=1) as client:
        with pytest.raises(Unreachable, match="Nobody answers"):
            await client.say(TEXT)


def test_every_code_of_the_contract_has_its_class() -> None:
    assert set(CLASSES) >= set(CODES)
    assert all(issubclass(family, TTSError) for family in CLASSES.values())
