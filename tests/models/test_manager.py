"""The manager: who is in memory, for many askers, under a budget, on a clock that the test turns."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from basics.settings import Settings
from models.catalogue import Catalogue
from models.engine import Engine
from models.engines.tone import Score, Tone
from models.groups import Entry
from models.manager import PATIENCE, Manager
from tests.models.managing import Shelf, here, keep, says, until

Making = Callable[..., Manager]


@pytest.fixture
def manages() -> Iterator[Making]:
    """Makes managers and closes them when the test is over."""
    made: list[Manager] = []

    def makes(shelf: Shelf, clock: TurnedClock | None = None, **known: Any) -> Manager:
        settings = Settings(vram_budget_gb=10, device="cpu", **known)
        made.append(Manager(settings, shelf.catalogue(settings), clock or TurnedClock(), shelf.load))
        return made[-1]

    yield makes
    for manager in made:
        asyncio.run(manager.close())


async def test_a_model_is_loaded_when_it_is_asked_for_and_kept(manages: Making) -> None:
    shelf = Shelf(a=1)
    manager = manages(shelf)
    for _ in range(3):
        async with manager.borrow("a") as resident:
            assert resident.card.id == "a"
            assert await says(resident) > 0
    assert shelf.loads == ["a"]
    assert here(manager) == {"a"}


async def test_an_unknown_model_is_refused_before_anything_is_loaded(manages: Making) -> None:
    shelf = Shelf(a=1)
    with pytest.raises(Failure) as told:
        async with manages(shelf).borrow("nobody"):
            pass
    assert told.value.code == "unknown_model"
    assert shelf.loads == []


async def test_a_storm_of_askers_loads_once(manages: Making) -> None:
    shelf = Shelf(a=1)
    manager, done = manages(shelf), asyncio.Event()
    askers = [asyncio.create_task(keep(manager, "a", done)) for _ in range(40)]
    await until(lambda: bool(manager.residents()) and manager.residents()[0]["uses"] == 40)
    done.set()
    await asyncio.gather(*askers)
    assert shelf.loads == ["a"]
    assert manager.residents()[0]["uses"] == 0


async def test_a_storm_from_several_event_loops_loads_once(manages: Making) -> None:
    shelf = Shelf(a=1)
    manager = manages(shelf)

    async def asks() -> None:
        await asyncio.gather(*(manager.warm("a") for _ in range(10)))

    threads = [threading.Thread(target=asyncio.run, args=(asks(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
    assert shelf.loads == ["a"]
    assert manager.residents()[0]["uses"] == 0


async def test_all_askers_of_a_failed_load_hear_why_and_the_next_tries_again(manages: Making) -> None:
    shelf = Shelf(a=1)
    shelf.faults.append(Failure("weights_missing", "The file is not there."))
    shelf.gates["a"] = threading.Event()
    manager = manages(shelf)
    askers = [asyncio.create_task(manager.warm("a")) for _ in range(5)]
    await until(shelf.reached.is_set)
    shelf.gates["a"].set()
    told = await asyncio.gather(*askers, return_exceptions=True)
    assert [getattr(each, "code", None) for each in told] == ["weights_missing"] * 5
    assert await manager.warm("a") >= 0
    assert shelf.loads == ["a", "a"]


async def test_a_strangers_exception_does_not_reach_the_asker(manages: Making) -> None:
    shelf = Shelf(a=1)
    shelf.faults.append(RuntimeError("/secret/path"))
    with pytest.raises(Failure, match="could not be loaded") as told:
        await manages(shelf).warm("a")
    assert "/secret" not in str(told.value)


async def test_an_engine_that_cannot_say_a_word_is_not_lent(manages: Making) -> None:
    class Mute(Tone):
        def prepare(self, voice: Any) -> Any:
            raise Failure("internal", "It has lost its voice.")

    shelf = Shelf()
    shelf.engines["a"] = Mute
    manager = manages(shelf)
    with pytest.raises(Failure, match="lost its voice"):
        await manager.warm("a")
    assert here(manager) == set()
    await until(lambda: not any(thread.name == "deck-a" for thread in threading.enumerate()))


async def test_the_least_recently_borrowed_makes_room(manages: Making) -> None:
    clock = TurnedClock()
    manager = manages(Shelf(a=4, b=4, c=4), clock)
    for model in ("a", "b", "a", "c"):
        await manager.warm(model)
        clock.turn(1)
    assert here(manager) == {"a", "c"}


async def test_a_borrowed_model_is_never_evicted_so_the_asker_waits(manages: Making) -> None:
    shelf = Shelf(a=8, b=8)
    manager = manages(shelf)
    async with manager.borrow("a") as resident:
        asker = asyncio.create_task(manager.warm("b"))
        await until(lambda: manager.loading() == ["b"])
        assert await says(resident) > 0
        assert not asker.done()
        assert shelf.loads == ["a"]
    await asker
    assert here(manager) == {"b"}


async def test_one_on_standby_stays_and_what_can_never_fit_beside_it_is_refused(manages: Making) -> None:
    manager = manages(Shelf(a=4, b=4, c=7), standby=("a",))
    await manager.warm("a")
    await manager.warm("b")
    with pytest.raises(Failure) as told:
        await manager.warm("c")
    assert (told.value.code, told.value.retryable) == ("out_of_memory", False)
    assert here(manager) == {"a", "b"}


async def test_a_model_larger_than_the_budget_is_refused_before_it_is_loaded(manages: Making) -> None:
    shelf = Shelf(huge=11)
    with pytest.raises(Failure, match="VRAM_BUDGET_GB") as told:
        await manages(shelf).warm("huge")
    assert told.value.code == "out_of_memory"
    assert shelf.loads == []


async def test_a_model_that_turns_out_larger_than_it_claims_makes_others_leave(manages: Making) -> None:
    shelf = Shelf(a=6, b=1)
    shelf.engines["b"].score = Score(memory=7)
    manager = manages(shelf)
    await manager.warm("a")
    await manager.warm("b")
    assert here(manager) == {"b"}
    assert manager.residents()[0]["memory_gb"] == 7


async def test_a_model_that_turns_out_larger_than_the_budget_goes_again(manages: Making) -> None:
    shelf = Shelf(a=1)
    shelf.engines["a"].score = Score(memory=12)
    manager = manages(shelf)
    with pytest.raises(Failure) as told:
        await manager.warm("a")
    assert told.value.code == "out_of_memory"
    assert here(manager) == set()


async def test_a_load_without_memory_unloads_the_unused_and_tries_once_more(manages: Making) -> None:
    shelf = Shelf(a=1, b=1)
    manager = manages(shelf)
    await manager.warm("a")
    shelf.faults.append(MemoryError())
    await manager.warm("b")
    assert here(manager) == {"b"}
    shelf.faults.extend([MemoryError(), MemoryError()])
    with pytest.raises(Failure) as told:
        await manager.warm("a")
    assert told.value.code == "out_of_memory"


async def test_cancelling_one_asker_leaves_the_load_to_the_others(manages: Making) -> None:
    shelf = Shelf(a=1)
    shelf.gates["a"] = threading.Event()
    manager = manages(shelf)
    leaves, stays = asyncio.create_task(manager.warm("a")), asyncio.create_task(manager.warm("a"))
    await until(shelf.reached.is_set)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    shelf.gates["a"].set()
    await stays
    assert leaves.cancelled()
    assert manager.residents()[0]["uses"] == 0


async def test_cancelling_every_asker_of_a_waiting_load_ends_the_wait(manages: Making) -> None:
    shelf = Shelf(a=8, b=8)
    manager = manages(shelf)
    async with manager.borrow("a"):
        asker = asyncio.create_task(manager.warm("b"))
        await until(lambda: manager.loading() == ["b"])
        asker.cancel()
        await until(lambda: manager.loading() == [])
    assert shelf.loads == ["a"]
    assert here(manager) == {"a"}


async def test_an_asker_cancelled_as_the_load_ends_keeps_nothing_in_use(manages: Making) -> None:
    for _ in range(20):
        shelf = Shelf(a=1)
        shelf.gates["a"] = threading.Event()
        manager = manages(shelf)
        asker = asyncio.create_task(manager.warm("a"))
        await until(shelf.reached.is_set)
        shelf.gates["a"].set()
        asker.cancel()
        await asyncio.gather(asker, return_exceptions=True)
        await until(lambda manager=manager: bool(manager.residents()))  # type: ignore[misc]
        assert manager.residents()[0]["uses"] == 0


async def test_a_busy_model_does_not_keep_another_out_for_ever(manages: Making) -> None:
    clock, shelf = TurnedClock(), Shelf(busy=8, other=8)
    manager, first, second = manages(shelf, clock), asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(keep(manager, "busy", first))
    await until(lambda: here(manager) == {"busy"})
    asker = asyncio.create_task(keep(manager, "other", second))
    await until(lambda: manager.loading() == ["other"])
    clock.turn(PATIENCE)
    again = asyncio.create_task(manager.warm("busy"))
    await until(lambda: manager.loading() == ["other", "busy"])
    first.set()
    await holder
    await until(lambda: here(manager) == {"other"})
    second.set()
    await asyncio.gather(asker, again)
    assert shelf.loads == ["busy", "other", "busy"]


async def test_a_model_unused_for_long_is_unloaded(manages: Making) -> None:
    clock = TurnedClock()
    manager = manages(Shelf(a=1, b=1), clock, idle_unload=30, standby=("b",))
    await manager.warm("b")
    async with manager.borrow("a"):
        clock.turn(100)
        assert here(manager) == {"a", "b"}
    await until(lambda: here(manager) == {"b"}, clock)


@pytest.mark.parametrize(
    ("known", "stays"), [({}, True), ({"preload": ("a", "b")}, False), ({"idle_unload": 0}, False)]
)
async def test_one_preloaded_model_stays_and_several_make_room_for_each_other(
    manages: Making, known: dict[str, Any], stays: bool
) -> None:
    clock = TurnedClock()
    manager = manages(Shelf(a=1, b=1), clock, **known)
    await manager.warm("a")
    if not stays:
        await until(lambda: not here(manager), clock)
        return
    clock.turn(1e6)
    assert not any(thread.name == "models-idle" for thread in threading.enumerate())
    assert here(manager) == {"a"}


@pytest.mark.parametrize("swaps", [20, pytest.param(200, marks=pytest.mark.long)])
async def test_after_many_swaps_nothing_is_left_behind(manages: Making, swaps: int) -> None:
    shelf = Shelf(a=8, b=8)
    manager = manages(shelf)
    await manager.warm("a")
    before = threading.active_count()
    for number in range(swaps):
        await manager.warm("ba"[number % 2])
    await until(lambda: threading.active_count() <= before)
    gc.collect()
    assert len(shelf.loads) == swaps + 1
    assert sum(each() is not None for each in shelf.alive) <= 1


async def test_a_broken_resident_is_replaced_at_the_next_borrowing(manages: Making) -> None:
    shelf = Shelf(a=1)
    manager = manages(shelf)
    async with manager.borrow("a") as resident:
        resident.broken = True
    async with manager.borrow("a") as another:
        assert another is not resident
        assert await says(another) > 0
    assert shelf.loads == ["a", "a"]


async def test_how_it_is_is_told_in_plain_numbers(manages: Making) -> None:
    manager = manages(Shelf(a=2))
    assert manager.cold_start() is None
    async with manager.borrow("a") as resident:
        await says(resident)
        told = manager.residents()[0]
    assert (told["model"], told["memory_gb"], told["uses"], told["lines"]) == ("a", 2.0, 1, 0)
    assert told["audio_seconds"] > 0.9
    assert set(told["cold_start"]) == {"imports", "weights", "warmup", "total"}
    assert manager.cold_start() == told["cold_start"]
    assert set(manager.capacity()) == {"a"}


async def test_cold_start_is_broken_down(manages: Making) -> None:
    clock, shelf = TurnedClock(), Shelf(a=1)

    class Slow(Tone):
        score = Score(prepare_seconds=3, spend=clock.turn)

        def memory(self) -> float:
            return 1.0

    def load(entry: Entry) -> Engine:
        clock.turn(5)
        return Slow()

    shelf.load = load  # type: ignore[method-assign]
    shelf.engines["a"] = Slow
    manager = manages(shelf, clock)
    assert await manager.warm("a") == 8
    assert manager.cold_start() == {"imports": 0, "weights": 5, "warmup": 3, "total": 8}


async def test_closing_refuses_who_waits_and_who_comes_and_leaves_no_thread(manages: Making) -> None:
    before = set(threading.enumerate())
    shelf = Shelf(a=8, b=8)
    manager = manages(shelf, idle_unload=60)
    async with manager.borrow("a") as resident:
        waiting = asyncio.create_task(manager.warm("b"))
        await until(lambda: manager.loading() == ["b"])
        await manager.close()
        for late in (waiting, manager.warm("a"), says(resident)):
            with pytest.raises(Failure) as told:
                await late
            assert told.value.code == "busy"
    ours = [
        each.name for each in set(threading.enumerate()) - before if each.name.startswith(("deck", "load", "models"))
    ]
    assert ours == []


async def test_closing_during_a_load_lets_the_model_go_again(manages: Making) -> None:
    shelf = Shelf(a=1)
    shelf.gates["a"] = threading.Event()
    manager = manages(shelf)
    asker = asyncio.create_task(manager.warm("a"))
    await until(shelf.reached.is_set)
    closing = asyncio.create_task(manager.close())
    await asyncio.sleep(0)
    shelf.gates["a"].set()
    await closing
    await asyncio.gather(asker, return_exceptions=True)
    assert here(manager) == set()
    assert not any(thread.name == "deck-a" for thread in threading.enumerate())


def test_an_unknown_name_in_standby_is_a_wrong_setting() -> None:
    settings = Settings(standby=("nobody",))
    with pytest.raises(Failure, match="STANDBY") as told:
        Manager(settings, Shelf(a=1).catalogue(settings))
    assert told.value.code == "misconfigured"


def test_a_tone_from_the_catalogue_is_loaded_by_the_products_own_way() -> None:
    async def speaks() -> float:
        settings = Settings(device="cpu", vram_budget_gb=1)
        manager = Manager(settings, Catalogue(settings, [Entry("tone", "embedded", "models.engines.tone:Tone")]))
        try:
            async with manager.borrow("tone") as resident:
                return await says(resident)
        finally:
            await manager.close()

    assert asyncio.run(speaks()) == pytest.approx(1.0, abs=0.1)
