"""Berths: the picture that the choices look at."""

from dataclasses import dataclass

from models.berths import Berth, Berths
from models.engine import Piece
from models.engines.tone import Tone
from models.listener import Kind, Listener
from tests.models.rehearsal import line


@dataclass
class Shelf:
    """Where pieces lie until somebody takes them."""

    unread: float = 0.0

    def put(self, piece: Piece) -> None:
        self.unread += len(piece.samples)


def entered(berths: Berths, id: str, listener: Listener, shelf: Shelf, seconds: float = 2.0) -> Berth:
    berth = berths.enter(line(id, seconds), listener, shelf)
    assert berths.settle_in() == []
    return berth


def test_sound_of_a_line_that_has_ended_is_in_hand_until_it_is_taken() -> None:
    berths, listener, shelf = Berths(Tone.card), Listener("stream", first=10.0, given=1.0), Shelf()
    ended = entered(berths, "a", listener, shelf)
    entered(berths, "b", listener, Shelf())
    berths.remove(ended)
    shelf.unread = 3.0
    assert [rider.slack for rider in berths.riders(10.5, 20.0)] == [3.5]
    shelf.unread = 1.0
    assert [rider.slack for rider in berths.riders(10.5, 20.0)] == [1.5]
    shelf.unread = 0.0
    assert [rider.slack for rider in berths.riders(10.5, 20.0)] == [0.5]


def test_sound_that_nobody_will_take_is_in_nobodys_hand() -> None:
    berths, listener, shelf = Berths(Tone.card), Listener("stream", first=10.0, given=1.0), Shelf()
    ended = entered(berths, "a", listener, shelf)
    entered(berths, "b", listener, Shelf())
    berths.remove(ended)
    shelf.unread, ended.left = 3.0, True
    assert [rider.slack for rider in berths.riders(10.5, 20.0)] == [0.5]


def test_what_is_still_to_come_is_all_that_was_planned_or_without_an_end() -> None:
    kinds: tuple[tuple[Kind, float, float], ...] = (("stream", 9.0, 6.0), ("live", float("inf"), float("inf")))
    for kind, expected, rest in kinds:
        berths = Berths(Tone.card)
        entered(berths, "a", Listener(kind, expected, made=3.0), Shelf())
        assert [rider.rest for rider in berths.riders(0.0, 20.0)] == [rest]


def test_a_line_longer_than_was_planned_still_has_some_to_come() -> None:
    berths = Berths(Tone.card)
    entered(berths, "a", Listener("stream", 4.0, made=5.0), Shelf(), seconds=2.0)
    (rider,) = berths.riders(0.0, 20.0)
    assert rider.rest == rider.seconds > 1.5
