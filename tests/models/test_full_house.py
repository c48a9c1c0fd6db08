"""A manager whose models are full, or hang: who is turned away, and what becomes of the memory."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from basics.settings import Settings
from models.catalogue import Catalogue
from models.engine import Engine
from models.engines.tone import Cost, Score, Tone
from models.groups import Entry
from models.listener import Listener
from models.manager import Manager
from models.resident import Resident
from tests.models.managing import here, says, until
from tests.models.rehearsal import line


class Held:
    """Turns of the first engine that is loaded pass until they are held; the clock is the test's."""

    def __init__(self, budget: float) -> None:
        self.free = threading.Event()
        self.reached = threading.Event()
        self.full = 0
        self.clock = TurnedClock()
        self.free.set()
        quick = Tone.playing(Score(memory=4), replace(Tone.card, memory=4))
        held = Score(memory=4, room=2, costs={"speak": Cost(start=1)}, spend=self._spend)
        self.first_of_all: Engine | None = Tone.playing(held)()
        self.engines = {"a": quick, "b": quick}
        settings = Settings(vram_budget_gb=budget, device="cpu")
        catalogue = Catalogue(settings, [Entry(name, "embedded", engine) for name, engine in self.engines.items()])
        self.manager = Manager(settings, catalogue, self.clock, self._load, self._on_full)

    def _load(self, entry: Entry) -> Engine:
        first, self.first_of_all = self.first_of_all, None
        return first or self.engines[entry.id]()

    def _spend(self, _: float) -> None:
        self.reached.set()
        assert self.free.wait(60)

    def _on_full(self) -> None:
        self.full += 1

    async def hang(self) -> None:
        """`a` hangs in a turn, and the watchdog has seen it."""
        async with self.manager.borrow("a") as resident:
            self.free.clear()
            self.reached.clear()
            reading = asyncio.create_task(says(resident))
            await until(self.reached.is_set)
            await until(lambda: resident.broken, self.clock)
            with pytest.raises(Failure, match="hung"):
                await reading


@pytest.fixture
def make() -> Iterator[Any]:
    made: list[Held] = []

    def makes(budget: float) -> Held:
        made.append(Held(budget))
        return made[-1]

    yield makes
    for each in made:
        each.free.set()
        asyncio.run(each.manager.close())


async def test_a_stream_too_many_is_turned_away_at_once_even_while_the_deck_computes(make: Any) -> None:
    deck = make(10)
    async with deck.manager.borrow("a") as resident, AsyncExitStack() as open:
        deck.manager.admit("a")
        for number in range(2):
            road = resident.speak(line(str(number), 100.0), Listener("stream"))
            await open.enter_async_context(aclosing(road))
            await anext(road)
        deck.free.clear()
        deck.reached.clear()
        async with aclosing(resident.speak(line("more"), Listener("stream"))) as more:
            asking = asyncio.create_task(anext(more))
            await until(deck.reached.is_set)
            with pytest.raises(Failure) as told:
                deck.manager.admit("a")
            assert (told.value.code, told.value.retryable) == ("busy", True)
            assert "a speaks as many streams as it can carry" in told.value.message
            deck.free.set()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


async def test_a_model_that_is_not_here_turns_nobody_away_and_an_unknown_one_is_told(make: Any) -> None:
    deck = make(10)
    deck.manager.admit("a")
    assert here(deck.manager) == set()
    with pytest.raises(Failure, match="unknown_model"):
        deck.manager.admit("nothing")


async def test_a_broken_model_turns_nobody_away_because_the_next_gets_a_new_one(make: Any) -> None:
    deck = make(10)
    await deck.hang()
    deck.manager.admit("a")


async def test_a_model_that_hangs_is_replaced_beside_its_stuck_memory_where_there_is_room(make: Any) -> None:
    deck = make(10)
    await deck.hang()
    borrowing = asyncio.create_task(_speaks(deck.manager, "b"))
    assert await borrowing > 0
    deck.free.set()
    assert await _speaks(deck.manager, "a") > 0
    assert deck.full == 0


async def test_memory_that_a_hung_model_keeps_counts_until_its_turn_ends(make: Any) -> None:
    deck = make(8)
    await deck.hang()
    stuck = next(thread for thread in threading.enumerate() if thread.name == "deck-a")
    assert await _speaks(deck.manager, "b") > 0
    # `b` leaves for the new `a`, which fits beside the old one, and then nothing else does.
    resident: Resident
    async with deck.manager.borrow("a") as resident:
        assert not resident.broken
        waiting = asyncio.create_task(_speaks(deck.manager, "b"))
        await until(lambda: "b" in deck.manager.loading())
        assert here(deck.manager) == {"a"}
        deck.free.set()
        await until(lambda: not stuck.is_alive())
        await until(waiting.done, deck.clock)
    assert await waiting > 0


async def test_the_worker_ends_where_a_hung_model_keeps_what_the_next_needs(make: Any) -> None:
    deck = make(6)
    await deck.hang()
    with pytest.raises(Failure) as told:
        await _speaks(deck.manager, "a")
    assert (told.value.code, told.value.retryable) == ("out_of_memory", True)
    assert deck.full == 1


async def _speaks(manager: Manager, model: str) -> float:
    async with manager.borrow(model) as resident:
        return await says(resident)
