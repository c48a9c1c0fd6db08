"""A resident: its thread, its readers on any loop, and what happens when they or it go away."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from models.engine import Deck, Line, Piece, SimpleDeck, Work
from models.engines.tone import Cost, Score, Tone
from models.listener import Listener
from models.resident import HUNG_UNKNOWN_SECONDS, Resident
from models.scheduler import Rules
from tests.models.rehearsal import COSTS, STAGES, line
from voices.voice import Voice

FREE = Score(stages=STAGES, room=4)
SINE = Voice("sine", "preset", "preset:sine")


class Gate:
    """Work takes until the test opens it."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def pass_through(self, _: float) -> None:
        self.reached.set()
        assert self.open.wait(60)


async def heard(resident: Resident, spoken: Line, listener: Listener | None = None) -> float:
    """Seconds of sound."""
    async with aclosing(resident.speak(spoken, listener or Listener("file"))) as pieces:
        return sum([len(piece.samples) async for piece in pieces]) / resident.card.rate


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 another thread makes it true
            await asyncio.sleep(0.001)


@pytest.fixture
def resident() -> Any:
    made = Resident(Tone(FREE))
    yield made
    made.close()


async def test_many_lines_are_spoken_at_once(resident: Resident) -> None:
    lines = [line(str(number), 1.0 + number % 3) for number in range(20)]
    seconds = await asyncio.gather(*(heard(resident, each) for each in lines))
    assert seconds == pytest.approx([1.0 + number % 3 for number in range(20)], abs=0.1)
    assert resident.numbers.sound_seconds == pytest.approx(sum(seconds))


async def test_sound_comes_before_the_line_is_done(resident: Resident) -> None:
    async with aclosing(resident.speak(line("a", 20.0), Listener("stream"))) as pieces:
        first = await anext(pieces)
        assert not first.last
        assert 0 < len(first.samples) < 5 * resident.card.rate


async def test_a_reader_that_goes_away_frees_the_place(resident: Resident) -> None:
    for number in range(8):
        async with aclosing(resident.speak(line(str(number), 100.0), Listener("stream"))) as pieces:
            await anext(pieces)
    await until(lambda: resident.numbers.aboard == 0)
    assert await heard(resident, line("next", 1.0)) > 0


async def test_cancelling_a_reader_frees_the_place(resident: Resident) -> None:
    listener = Listener("stream")
    tasks = [asyncio.create_task(heard(resident, line(str(n), 300.0), listener)) for n in range(6)]
    await until(lambda: resident.numbers.aboard > 0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: resident.numbers.aboard + resident.numbers.waiting == 0)


async def test_a_slow_reader_bounds_what_is_made() -> None:
    resident = Resident(Tone(FREE), rules=Rules(ahead=3.0))
    listener = Listener("file")
    try:
        async with aclosing(resident.speak(line("slow", 300.0), listener)) as pieces:
            await anext(pieces)
            assert await heard(resident, line("other", 10.0)) > 0
            assert listener.made <= 3.0 + 2 * Rules().chunk + 4.0
            rest = sum([len(piece.samples) async for piece in pieces]) / resident.card.rate
        assert rest > 290
    finally:
        resident.close()


async def test_a_failed_line_is_raised_where_it_is_read(resident: Resident) -> None:
    with pytest.raises(Failure, match="as it was asked to"):
        await heard(resident, line("bad", 3.0, fail_after=0.5))
    assert await heard(resident, line("good")) > 0


def test_readers_on_two_event_loops_share_one_deck(resident: Resident) -> None:
    found: dict[str, list[float]] = {}

    def reads(name: str) -> None:
        async def all_of_them() -> list[float]:
            return await asyncio.gather(*(heard(resident, line(f"{name}{n}", 1.0)) for n in range(10)))

        found[name] = asyncio.run(all_of_them())

    threads = [threading.Thread(target=reads, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 10, "b": 10}
    assert min(min(seconds) for seconds in found.values()) > 0.9


def test_a_loop_that_died_with_its_readers_leaves_the_resident_alive(resident: Resident) -> None:
    async def abandons() -> None:
        pieces = resident.speak(line("abandoned", 300.0), Listener("file"))
        await anext(pieces)

    asyncio.run(abandons())
    assert asyncio.run(heard(resident, line("next"))) > 0


async def test_the_loop_stays_free_while_the_deck_computes() -> None:
    gate = Gate()
    resident = Resident(Tone(Score(costs={"speak": Cost(start=1)}, spend=gate.pass_through)))
    task = asyncio.create_task(heard(resident, line("a")))
    try:
        await until(gate.reached.is_set)
        assert resident.numbers.turn_began is not None
        assert resident.numbers.aboard == 1
    finally:
        gate.open.set()
    assert await task > 0
    resident.close()


async def test_a_voice_is_prepared_beside_the_running_deck() -> None:
    gate = Gate()
    resident = Resident(Tone(Score(costs={"speak": Cost(start=1)}, spend=gate.pass_through)))
    task = asyncio.create_task(heard(resident, line("a")))
    try:
        await until(gate.reached.is_set)
        assert (await resident.prepare(SINE))["hertz"][0] == 440.0
    finally:
        gate.open.set()
    await task
    resident.close()


async def test_voices_are_prepared_one_at_a_time() -> None:
    at_once = [0, 0]

    class Counting(Tone):
        def prepare(self, voice: Voice) -> Any:
            at_once[0] += 1
            at_once[1] = max(at_once)
            found = super().prepare(voice)
            at_once[0] -= 1
            return found

    resident = Resident(Counting(FREE))
    await asyncio.gather(*(resident.prepare(SINE) for _ in range(20)))
    assert at_once == [0, 1]
    resident.close()


async def test_a_voice_that_cannot_be_used_is_told_to_its_asker(resident: Resident) -> None:
    with pytest.raises(Failure) as told:
        await resident.prepare(Voice("nobody", "preset", "preset:nobody"))
    assert told.value.code == "unknown_voice"


async def test_closing_ends_every_reader_and_every_thread() -> None:
    before = set(threading.enumerate())
    resident = Resident(Tone(Score(stages=STAGES, room=1)), rules=Rules(ahead=1.0))
    await resident.prepare(SINE)
    aboard = resident.speak(line("aboard", 100.0), Listener("stream"))
    await anext(aboard)
    waiting = asyncio.create_task(heard(resident, line("waiting")))
    await until(lambda: resident.numbers.waiting == 1)
    await asyncio.to_thread(resident.close)
    for reading in (waiting, _rest(aboard), heard(resident, line("late")), resident.prepare(SINE)):
        with pytest.raises(Failure) as told:
            await reading
        assert (told.value.code, told.value.retryable) == ("busy", True)
    assert {thread.name for thread in set(threading.enumerate()) - before if "tone" in thread.name} == set()


async def _rest(pieces: Any) -> None:
    async for _ in pieces:
        pass


def test_an_engine_whose_deck_does_not_open_leaves_no_thread() -> None:
    class Shut(Tone):
        def open(self, room: int) -> Deck:
            raise Failure("out_of_memory", "No room for a deck.")

    before = threading.active_count()
    with pytest.raises(Failure, match="No room for a deck"):
        Resident(Shut())
    assert threading.active_count() == before


async def test_a_deck_that_can_not_be_opened_again_breaks_the_resident_and_tells_its_readers() -> None:
    class Once(Tone):
        opened = False

        def open(self, room: int) -> Deck:
            if self.opened:
                raise RuntimeError("gone")
            self.opened = True
            return Broken(self)

        def speak(self, line: Line) -> Any:
            yield np.zeros(2400, np.float32)

    resident = Resident(Once())
    with pytest.raises(Failure) as told:
        await heard(resident, line("a"))
    assert told.value.code == "internal"
    await until(lambda: resident.broken)
    with pytest.raises(Failure):
        await heard(resident, line("b"))
    resident.close()


class Broken(SimpleDeck):
    def ready(self) -> Sequence[Work]:
        if super().ready():
            raise RuntimeError("the deck is beside itself")
        return ()


async def test_a_simple_engine_speaks_piece_by_piece_in_its_one_place() -> None:
    class Simple(Tone):
        def open(self, room: int) -> Deck:
            return SimpleDeck(self)

        def speak(self, line: Line) -> Any:
            for _ in range(4):
                yield np.full(2400, 0.1, np.float32)

    resident = Resident(Simple())
    pieces: list[Piece] = []
    async with aclosing(resident.speak(line("a"), Listener("stream"))) as reading:
        async for piece in reading:
            pieces.append(piece)
    assert [len(piece.samples) for piece in pieces] == [2400] * 4 + [0]
    assert await asyncio.gather(*(heard(resident, line(str(n))) for n in range(5))) == pytest.approx([0.4] * 5)
    resident.close()


async def test_each_job_learns_its_share_of_the_computing() -> None:
    resident = Resident(Tone(Score(stages=STAGES, costs=COSTS, room=4, spend=lambda _: None)))
    listeners = [Listener("file") for _ in range(3)]
    await asyncio.gather(*(heard(resident, line(str(n)), each) for n, each in enumerate(listeners)))
    assert sum(each.gpu_seconds for each in listeners) == pytest.approx(resident.numbers.busy_seconds)
    resident.close()


async def test_a_turn_that_hangs_ends_its_lines_and_breaks_the_resident() -> None:
    clock = TurnedClock()
    gate = Gate()
    resident = Resident(Tone(Score(costs={"speak": Cost(step=0.001)}, spend=gate.pass_through)), clock=clock)
    reading = asyncio.create_task(heard(resident, line("a", 1.0)))
    await until(gate.reached.is_set)
    clock.turn(HUNG_UNKNOWN_SECONDS - 1)
    assert not resident.broken
    await until(lambda: turned(clock, 2.0) and resident.broken)
    with pytest.raises(Failure, match="hung") as failed:
        await reading
    assert failed.value.retryable
    with pytest.raises(Failure, match="hung"):
        await heard(resident, line("b", 1.0))
    await asyncio.to_thread(resident.close)
    gate.open.set()


def turned(clock: TurnedClock, seconds: float) -> bool:
    clock.turn(seconds)
    return True


async def test_a_slow_turn_is_no_hang() -> None:
    clock = TurnedClock()
    resident = Resident(Tone(Score(costs={"speak": Cost(step=0.5)}, spend=clock.turn)), clock=clock)
    assert await heard(resident, line("a", 10.0)) == pytest.approx(10.0, abs=0.1)
    assert not resident.broken
    resident.close()
