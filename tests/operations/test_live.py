"""Live speech as an operation: text goes in while sound comes out."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from basics.events import Audio, Done, Failed, Started
from models.engines.tone import Cost, Score
from operations.answer import answer
from operations.job import Job, Piece
from tests.houses import decoded, joined, of, standing

PCM = {"model": "tone", "voice": "low", "format": "pcm"}


async def pieces(*texts: str) -> AsyncGenerator[Piece, None]:
    for text in texts:
        await asyncio.sleep(0)
        yield Piece(text)


async def test_the_first_sentence_is_heard_while_the_second_is_still_being_written(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        yield Piece("The first sentence is here. ")
        await heard.wait()
        yield Piece("And here is the second.")

    async with standing(tmp_path) as house:
        events = []
        async for event in answer(Job("live", PCM, written=written()), house):
            events.append(event)
            if isinstance(event, Audio):
                heard.set()
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert [part["text"] for part in events[-1].answer["segments"]] == [
        "The first sentence is here.",
        "And here is the second.",
    ]
    assert events[-1].answer["usage"]["characters"] == len("The first sentence is here. And here is the second.")


async def test_a_flush_speaks_what_is_not_complete(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        yield Piece("Half a sen", flush=True)
        await heard.wait()

    said = []
    async with standing(tmp_path) as house:
        async for event in answer(Job("live", PCM, written=written()), house):
            if isinstance(event, Audio):
                said.append(event.text)
                heard.set()
    assert said[0] == "Half a sen"


async def test_the_joined_sound_is_one_file(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        job = Job("live", PCM | {"format": "mp3"}, written=pieces("One. ", "Two. ", "Three."))
        events = [event async for event in answer(job, house)]
    sound, rate = decoded(joined(events))
    assert abs(len(sound) / rate - of(Done, events)[0].answer["audio"]["duration"]) < 0.2


async def test_nothing_written_is_nothing_said(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        events = [event async for event in answer(Job("live", PCM, written=pieces(" ", "...")), house)]
    assert [type(event) for event in events] == [Done]
    assert of(Done, events)[0].answer["audio"]["duration"] == 0


async def test_what_has_no_place_or_is_wrong_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        for wrong, code in (({"text": "Hello"}, "invalid_input"), ({"voice": "nobody"}, "unknown_voice")):
            events = [event async for event in answer(Job("live", PCM | wrong, written=pieces("Hi.")), house)]
            assert [event.error.code for event in of(Failed, events)] == [code]


async def test_closing_it_frees_the_place_and_ends_the_writer(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        try:
            while True:
                yield Piece("Another sentence follows here. ")
                await asyncio.sleep(0)
        finally:
            ended.set()

    async with standing(tmp_path, Score(costs={"speak": Cost(start=0.01)})) as house:
        road = answer(Job("live", PCM, written=written()), house)
        async for event in road:
            if isinstance(event, Audio):
                break
        await road.aclose()
        async with asyncio.timeout(5):
            await ended.wait()
            while house.manager.residents()[0]["lines"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not house.running


async def test_a_fast_writer_is_held_back_by_the_voice(tmp_path: Path) -> None:
    written_chars = 0

    async def written() -> AsyncGenerator[Piece, None]:
        nonlocal written_chars
        for _ in range(2000):
            written_chars += 30
            yield Piece("This is one more sentence now. ")

    async with standing(tmp_path, Score(costs={"speak": Cost(start=0.02)})) as house:
        road = answer(Job("live", PCM, written=written()), house)
        async for event in road:
            if isinstance(event, Audio):
                break
        assert written_chars < 600
        await road.aclose()
