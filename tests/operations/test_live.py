"""Live speech as an operation: text goes in while sound comes out."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from basics.events import Audio, Done, Failed, Started
from models.card import Card
from models.engines.tone import Cost, Score, Tone
from models.feed import MOST_CHARS
from operations.answer import answer
from operations.job import Job, Piece
from tests.houses import decoded, joined, of, standing

PCM = {"model": "tone", "voice": "low", "format": "pcm"}
BY_SENTENCE = replace(Tone.card, live=False)
"""A voice that takes a line's text whole."""


async def pieces(*texts: str) -> AsyncGenerator[Piece, None]:
    for text in texts:
        await asyncio.sleep(0)
        yield Piece(text)


async def test_a_voice_that_takes_text_while_it_speaks_is_heard_in_the_middle_of_a_sentence(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        for token in ("When the sun", " had fin", "ally set"):
            yield Piece(token)
        await heard.wait()
        yield Piece(", the lamps were lit.")

    async with standing(tmp_path) as house:
        events = []
        async for event in answer(Job("live", PCM, written=written()), house):
            events.append(event)
            if isinstance(event, Audio):
                heard.set()
    text = "When the sun had finally set, the lamps were lit."
    assert [part["text"] for part in of(Done, events)[0].answer["segments"]] == [text]
    assert " ".join(filter(None, (event.text for event in of(Audio, events)))) == text


async def test_what_is_fed_word_by_word_sounds_as_it_does_at_once(tmp_path: Path) -> None:
    text = "The boats came in late, with little wind. Nobody had waited for them."
    sounds = []
    async with standing(tmp_path) as house:
        for texts in ([text], [f"{word} " for word in text.split()]):
            job = Job("live", PCM | {"seed": 1}, written=pieces(*texts))
            sounds.append(joined([event async for event in answer(job, house)]))
    assert sounds[0] == sounds[1]


async def test_words_are_told_with_the_sound_that_holds_them(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(60)]
    async with standing(tmp_path) as house:
        job = Job("live", PCM, written=pieces(*(f"{word} " for word in words)))
        events = of(Audio, [event async for event in answer(job, house)])
    told = [(word, event.start, event.start + event.duration) for event in events for word in event.text.split()]
    assert [word for word, _, _ in told] == words
    for number, (_, start, end) in enumerate(told):
        expected = Tone.card.seconds("word99 " * number)
        assert start - 1.0 <= expected <= end + 1.0


async def test_the_first_sentence_is_heard_while_the_second_is_still_being_written(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        yield Piece("The first sentence is here. ")
        await heard.wait()
        yield Piece("And here is the second.")

    async with standing(tmp_path, card=BY_SENTENCE) as house:
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
    assert " ".join(filter(None, said)) == "Half a sen"


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
        async with asyncio.timeout(60):
            await ended.wait()
            while house.manager.residents()[0]["lines"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not house.running


@pytest.mark.parametrize("card", [Tone.card, BY_SENTENCE], ids=["word by word", "by sentence"])
async def test_a_fast_writer_is_held_back_by_the_voice(tmp_path: Path, card: Card) -> None:
    written_chars = 0

    async def written() -> AsyncGenerator[Piece, None]:
        nonlocal written_chars
        for _ in range(2000):
            written_chars += 30
            yield Piece("This is one more sentence now. ")

    async with standing(tmp_path, Score(costs={"speak": Cost(start=0.02)}), card=card) as house:
        road = answer(Job("live", PCM, written=written()), house)
        async for event in road:
            if isinstance(event, Audio):
                break
        assert written_chars < MOST_CHARS + 1500
        await road.aclose()


async def test_a_slow_listener_holds_back_the_voice_and_through_it_the_writer(tmp_path: Path) -> None:
    written_chars = 0

    async def written() -> AsyncGenerator[Piece, None]:
        nonlocal written_chars
        while True:
            await asyncio.sleep(0)
            written_chars += 31
            yield Piece("This is one more sentence now. ")

    async with standing(tmp_path) as house:
        road = answer(Job("live", PCM, written=written()), house)
        async for event in road:
            if isinstance(event, Audio):
                break
        made, still = -1.0, 0
        async with asyncio.timeout(60):
            while still < 20:
                await asyncio.sleep(0.02)
                now = house.manager.residents()[0]["audio_seconds"]
                still, made = (still + 1 if now == made else 0), now
        assert made < 120
        assert written_chars < made * Tone.card.pace + MOST_CHARS + 1500
        await road.aclose()


async def test_a_line_that_fails_half_way_ends_the_utterance_and_its_writer(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def written() -> AsyncGenerator[Piece, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield Piece("Another sentence follows here. ")
        finally:
            ended.set()

    async with standing(tmp_path) as house:
        job = Job("live", PCM | {"params": {"fail_after": 3.0}}, written=written())
        events = [event async for event in answer(job, house)]
        assert of(Audio, events)
        assert of(Failed, events)[0].error.code == "internal"
        await asyncio.wait_for(ended.wait(), 5)


async def test_what_was_left_out_is_told_at_the_end(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        job = Job("live", PCM, written=pieces("Well ", "[lau", "gh]", " then. ", "[pause:0.5]"))
        events = [event async for event in answer(job, house)]
    answered = of(Done, events)[0].answer
    assert [part["text"] for part in answered["segments"]] == ["Well then."]
    assert "[laugh]" in answered["warnings"][0]
