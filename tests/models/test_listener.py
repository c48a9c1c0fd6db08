"""A listener: how much it has in hand."""

from models.listener import Listener


def test_before_it_plays_nothing_drains() -> None:
    listener = Listener("stream", made=0.5)
    assert listener.slack(0.0, now=100.0) == 0.5


def test_it_runs_dry_as_it_plays() -> None:
    listener = Listener("stream", first=10.0, given=1.0)
    assert listener.slack(0.5, now=10.25) == 1.25


def test_after_a_gap_it_plays_on_from_the_next_sound() -> None:
    listener = Listener("live", first=10.0, given=1.0)
    listener.give(0.5, now=31.0)
    assert listener.slack(0.0, now=31.25) == 0.25


def test_sound_in_time_does_not_move_what_it_heard_first() -> None:
    listener = Listener("stream", first=10.0, given=1.0)
    listener.give(0.5, now=10.5)
    assert (listener.first, listener.given) == (10.0, 1.5)
