"""Live text: it reaches the deck while the line is spoken, waits when it is too much, and ends with the line."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from basics.audio import join
from basics.errors import Failure
from models.engine import Deck, Line
from models.engines.tone import Score, Tone
from models.feed import Feed
from models.listener import Listener
from models.resident import Resident
from tests.models.decks import Faulty
from tests.models.rehearsal import COSTS, STAGES, Rehearsal, line
from tests.models.test_resident import until

FREE = Score(stages=STAGES, room=2, least={"vocode": 5})
WORDS = ("Good evening, ", "and welcome. ", "The boats ", "came in late.")


def live(id: str = "live", text: str = "", longest: float = 600.0) -> Line:
    return replace(line(id, longest=longest), text=text)


async def spoken(resident: Resident, given: Line, feed: Feed | None = None) -> np.ndarray[Any, Any]:
    async with aclosing(resident.speak(given, Listener("live"), feed)) as pieces:
        return join([piece.samples async for piece in pieces])


@pytest.fixture
def resident() -> Any:
    made = Resident(Tone(FREE))
    yield made
    made.close()


async def test_text_in_pieces_sounds_as_it_does_at_once(resident: Resident) -> None:
    feed = Feed()
    reading = asyncio.create_task(spoken(resident, live("pieces"), feed))
    for words in WORDS:
        await feed.put(words)
        await asyncio.sleep(0)
    feed.finish()
    whole = await spoken(resident, live("whole", "".join(WORDS)))
    np.testing.assert_array_equal(await reading, whole)


async def test_sound_comes_before_the_text_is_whole(resident: Resident) -> None:
    feed = Feed()
    async with aclosing(resident.speak(live(text="Good evening, and welcome."), Listener("live"), feed)) as pieces:
        assert len((await anext(pieces)).samples) > 0


async def test_a_line_that_awaits_its_text_keeps_no_place_before_the_first_and_stops_nobody(resident: Resident) -> None:
    feeds = [Feed() for _ in range(4)]
    readings = [asyncio.create_task(spoken(resident, live(str(n)), feed)) for n, feed in enumerate(feeds)]
    await until(lambda: resident.numbers.waiting == 4)
    assert len(await spoken(resident, live("other", "Somebody else."))) > 0
    assert resident.numbers.aboard == 0
    for feed in feeds:
        await feed.put("At last.")
        feed.finish()
    assert all(len(sound) for sound in await asyncio.gather(*readings))


def test_started_streams_that_await_their_text_cost_others_nothing() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=4))
    feed, talker, other = Feed(), rehearsal.ear("live"), rehearsal.ear()
    rehearsal.runner.enter(replace(live(text="Good evening, and welcome."), live=True), talker.listener, talker, feed)
    rehearsal.until_idle()
    rehearsal.clock.turn(30.0)
    rehearsal.speaks(other, line("other", 4.0))
    rehearsal.until_idle()
    assert other.ended == 1
    assert other.began is not None
    assert other.began < 31.0 + talker.seconds
    assert talker.ended == 0
    feed.finish()
    rehearsal.until_idle()
    assert talker.ended == 1


async def test_whoever_writes_faster_than_the_voice_or_the_reader_waits() -> None:
    rehearsal = Rehearsal()
    feed, ear, put = Feed(most_chars=100), rehearsal.ear("live", plays=False), 0
    rehearsal.runner.enter(replace(live(), live=True), ear.listener, ear, feed)

    async def writes() -> None:
        nonlocal put
        while True:
            await feed.put("word " * 10)
            put += 1

    writing = asyncio.create_task(writes())
    for _ in range(200):
        await asyncio.sleep(0)
        rehearsal.until_idle()
    ahead = 20.0 + 10.0 + 2 * 100 / Tone.card.pace
    assert 20.0 <= put * 50 / Tone.card.pace <= ahead + 4.0
    heard, ear._plays = ear.seconds, True
    for _ in range(200):
        await asyncio.sleep(0)
        rehearsal.runner.step()
    assert ear.seconds > heard + 20.0
    feed.end()
    with pytest.raises(Failure, match="cancelled"):
        await writing


async def test_a_line_that_is_closed_tells_who_writes(resident: Resident) -> None:
    feed = Feed()
    async with aclosing(resident.speak(live(text="Good evening."), Listener("live"), feed)) as pieces:
        await anext(pieces)
    with pytest.raises(Failure, match="cancelled"):
        await feed.put("more")
    await until(lambda: resident.numbers.aboard + resident.numbers.waiting == 0)


async def test_cancelling_the_reader_frees_the_place_and_wakes_a_writer_that_waits(resident: Resident) -> None:
    feed = Feed(most_chars=10)
    reading = asyncio.create_task(_reads_nothing(resident, feed))
    await until(lambda: resident.numbers.aboard == 1)
    writing = asyncio.create_task(_writes(feed))
    reading.cancel()
    with pytest.raises(Failure, match="cancelled"):
        await writing
    await until(lambda: resident.numbers.aboard == 0)


async def _reads_nothing(resident: Resident, feed: Feed) -> None:
    async with aclosing(resident.speak(live(text="Good evening."), Listener("live"), feed)) as pieces:
        await anext(pieces)
        await asyncio.Event().wait()


async def _writes(feed: Feed) -> None:
    while True:
        await feed.put("word word ")


async def test_no_text_at_all_is_refused_at_the_end(resident: Resident) -> None:
    feed = Feed()
    feed.finish()
    with pytest.raises(Failure, match="no text to speak"):
        await spoken(resident, live(), feed)


async def test_nothing_may_follow_the_last_and_a_piece_has_a_limit() -> None:
    feed = Feed(most_chars=10)
    with pytest.raises(Failure, match="of 10 at most"):
        await feed.put("x" * 11)
    feed.finish()
    with pytest.raises(Failure, match="may follow the last"):
        await feed.put("more")


async def test_a_model_that_takes_no_live_text_says_so_and_lets_the_writer_go() -> None:
    class Deaf(Tone):
        card = replace(Tone.card, live=False)

    resident, feed = Resident(Deaf(FREE)), Feed()
    with pytest.raises(Failure, match="not_supported"):
        await spoken(resident, live(), feed)
    with pytest.raises(Failure, match="cancelled"):
        await feed.put("more")
    resident.close()


async def test_a_deck_that_breaks_at_a_feed_ends_that_line_only() -> None:
    class Breaking(Tone):
        def open(self, room: int) -> Deck:
            return Unfed(super().open(room), lambda _: None)

    class Unfed(Faulty):
        def feed(self, line: str, text: str, last: bool) -> None:
            raise RuntimeError(text)

    resident, feed = Resident(Breaking(FREE)), Feed()
    await feed.put("more")
    with pytest.raises(Failure, match="failed at this line") as failed:
        await spoken(resident, live(text="Good evening."), feed)
    assert "more" not in str(failed.value)
    assert len(await spoken(resident, live("other", "Good evening."))) > 0
    resident.close()
