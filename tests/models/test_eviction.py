"""Eviction: who leaves, as a choice over plain data."""

from hypothesis import given, settings
from hypothesis import strategies as st

from models.eviction import Seat, hopeless, idle, next_idle, victims

seats = st.lists(
    st.builds(
        Seat,
        id=st.uuids().map(str),
        memory=st.floats(0, 20),
        borrowed=st.floats(0, 1000),
        uses=st.integers(0, 2),
        standby=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda seat: seat.id,
)


def test_nobody_leaves_while_there_is_room() -> None:
    assert victims([Seat("a", 4, 0)], need=4, budget=10) == ()


def test_the_least_recently_borrowed_leaves_first_and_no_more_than_must() -> None:
    assert victims([Seat("new", 4, 9), Seat("old", 4, 1), Seat("older", 1, 0)], need=4, budget=10) == ("older", "old")


def test_one_in_use_never_leaves_so_the_newcomer_waits() -> None:
    assert victims([Seat("a", 8, 0, uses=1)], need=4, budget=10) is None


def test_one_on_standby_never_leaves() -> None:
    held = [Seat("a", 8, 0, standby=True)]
    assert victims(held, need=4, budget=10) is None
    assert hopeless(held, need=4, budget=10)


def test_what_fits_once_others_are_done_is_not_hopeless() -> None:
    assert not hopeless([Seat("a", 8, 0, uses=3)], need=4, budget=10)


def test_the_unused_is_idle_when_its_time_has_come() -> None:
    held = [Seat("a", 1, 100), Seat("b", 1, 130), Seat("busy", 1, 0, uses=1), Seat("kept", 1, 0, standby=True)]
    assert idle(held, now=160, limit=60) == ("a",)
    assert next_idle(held, now=140, limit=60) == 20
    assert next_idle(held[2:], now=140, limit=60) is None


@settings(deadline=None)
@given(seats, st.floats(0, 40), st.floats(0, 60))
def test_who_leaves_makes_room_and_was_free_to_leave(held: list[Seat], need: float, budget: float) -> None:
    leaving = victims(held, need, budget)
    if leaving is None:
        assert sum(seat.memory for seat in held if not seat.movable) + need > budget - 1e-6
        return
    assert all(seat.movable for seat in held if seat.id in leaving)
    assert sum(seat.memory for seat in held if seat.id not in leaving) + need <= budget + 1e-6
    if leaving:
        spared = [seat for seat in held if seat.movable and seat.id not in leaving]
        newest = max(seat.borrowed for seat in held if seat.id in leaving)
        assert all(seat.borrowed >= newest for seat in spared)
