"""Who comes aboard, over plain data."""

from dataclasses import replace

from hypothesis import given, settings

from models.boarding import MANY, board, welcomes
from models.scheduler import State
from tests.models.pictures import RULES, costing, file, newcomer, rider, state, states


def test_lines_of_a_file_come_aboard_in_order_and_jobs_share_the_places() -> None:
    lines = [file(f"a{n}", n, job=1, aboard=False) for n in range(5)]
    lines += [file(f"b{n}", 5 + n, job=2, aboard=False) for n in range(5)]
    assert board(state(*lines, room=4)) == ("a0", "b0", "a1", "b1")


def test_a_stream_holds_one_place_at_a_time() -> None:
    lines = [newcomer("a0", 0, job=1, aboard=False), newcomer("a1", 1, job=1, aboard=False, leads=False)]
    assert board(state(*lines)) == ("a0",)


def test_nobody_comes_aboard_a_full_deck() -> None:
    assert board(state(file("a", 1), newcomer("b", 2, aboard=False), room=1)) == ()


def test_a_newcomer_waits_while_the_started_fill_the_machine() -> None:
    started = [rider(str(number), number, slack=5.0) for number in range(3)]
    late = newcomer("late", 9, aboard=False)
    assert board(state(*started, late, costs=costing(0.2))) == ("late",)
    assert board(state(*started, late, costs=costing(0.3))) == ()


def test_nobody_new_comes_to_a_busy_deck_whose_streams_have_little_in_hand() -> None:
    late = newcomer("late", 9, aboard=False)
    for slack, load, boarded in ((0.2, 0.2, ()), (0.4, 0.2, ("late",)), (0.4, 0.22, ()), (0.2, 0.15, ("late",))):
        started = [rider(str(number), number, slack=slack) for number in range(3)]
        costs = costing(load, sound=1.0)
        costs.learn("speak", 1, 5, load / 10, 0.1)
        assert board(state(*started, late, costs=costs, first=0.1)) == boarded


def test_more_come_aboard_than_fit_for_good_where_all_of_them_end_in_time() -> None:
    """Each takes 0.3 of all time, so that four do not fit for good."""
    for left, hand, late, boarded in (
        (1.0, 6.0, 3.0, ("late",)),
        (30.0, 6.0, 30.0, ()),
        (1.0, 6.0, float("inf"), ()),
        (float("inf"), 6.0, 3.0, ()),
        (6.0, 0.7, 6.0, ()),
    ):
        started = [rider(str(number), number, slack=hand, rest=left) for number in range(3)]
        newest = newcomer("late", 9, aboard=False, seconds=1.0, rest=late)
        assert board(state(*started, newest, costs=costing(0.3))) == boarded


def test_who_has_little_left_to_make_needs_little_in_hand() -> None:
    late = newcomer("late", 9, aboard=False)
    for rest, boarded in ((30.0, ()), (1.0, ("late",))):
        started = [rider(str(number), number, slack=0.25, rest=rest) for number in range(3)]
        costs = costing(0.2, sound=1.0)
        costs.learn("speak", 1, 5, 0.02, 0.1)
        assert board(state(*started, late, costs=costs, first=0.1)) == boarded


def test_a_newcomer_whose_second_line_would_come_too_late_waits() -> None:
    """All take 0.3 of what they play, and only one line at a time is made."""
    aboard = rider("a", 1, aboard=False, slack=2.0, seconds=3.0)
    first = newcomer("b", 2, job=2, aboard=False, seconds=1.0)
    for second, boarded in ((3.0, ("a",)), (0.2, ("b",))):
        behind = newcomer("c", 3, job=2, aboard=False, leads=False, seconds=second)
        seen = state(aboard, first, behind, room=1, whole=True, costs=costing(0.3))
        assert board(seen) == boarded


def test_who_is_alone_is_let_in_even_where_its_second_line_will_come_too_late() -> None:
    lines = [newcomer("a", 1, aboard=False), newcomer("b", 2, job=1, aboard=False, leads=False, seconds=9.0)]
    for rest in (14.0, float("inf")):
        seen = state(*(replace(each, rest=rest) for each in lines), room=1, whole=True, costs=costing(3.0))
        assert board(seen) == ("a",)


def test_as_many_are_welcome_as_would_be_carried() -> None:
    started = [rider(str(number), number, slack=5.0) for number in range(3)]
    for load, welcome in ((0.3, 0), (0.2, 1), (0.15, 3), (0.01, MANY)):
        assert welcomes(state(*started, room=20, costs=costing(load))) == welcome
    assert welcomes(state(*started, room=5, costs=costing(0.01))) == 2


def test_a_deck_with_little_to_do_asks_nobody_for_a_hand() -> None:
    assert welcomes(state(rider("dry", slack=-2.0), room=20, costs=costing(0.01))) == MANY


def test_who_waits_a_moment_for_a_place_keeps_nobody_out() -> None:
    waiting = [newcomer(f"late{number}", 10 + number, aboard=False, seconds=1.0) for number in range(3)]
    speaking = rider("a", slack=3.0)
    for seconds, welcome in ((0.01, MANY), (0.12, 2), (0.5, 0)):
        seen = state(speaking, *waiting, room=1, whole=True, costs=costing(seconds))
        assert welcomes(seen) == welcome


def test_nobody_is_welcome_while_the_started_have_no_time_for_who_waits() -> None:
    late = newcomer("late", 9, aboard=False)
    for slack, welcome in ((3.0, 3), (0.05, 0)):
        assert (
            welcomes(state(rider("a", slack=slack), late, room=20, costs=costing(0.05, sound=0.3, size=15))) == welcome
        )


def test_a_live_line_gets_no_place_before_its_first_text() -> None:
    assert board(state(newcomer("silent", 1, aboard=False, mute=True), newcomer("b", 2, aboard=False))) == ("b",)


def test_a_newcomer_does_not_pass_one_that_came_before_it() -> None:
    started = [rider(str(number), number, slack=5.0) for number in range(3)]
    late = [newcomer("long", 8, aboard=False, seconds=90.0), newcomer("short", 9, aboard=False, seconds=1.0)]
    assert board(state(*started, *late, costs=costing(0.3))) == ()


def test_the_first_stream_is_let_in_however_slow_the_machine() -> None:
    assert board(state(newcomer("a", aboard=False), costs=costing(3.0))) == ("a",)


def test_files_leave_part_of_the_machine_unpromised_to_streams() -> None:
    started = [rider(str(number), number, slack=5.0) for number in range(3)]
    late = newcomer("late", 9, aboard=False)
    assert board(state(*started, late, costs=costing(0.21))) == ("late",)
    assert board(state(*started, late, file("f", 10), costs=costing(0.21))) == ()


def test_the_only_place_goes_to_a_newcomer_while_the_started_have_enough_in_hand() -> None:
    next_line, late = rider("next", 1, aboard=False, slack=9.0), newcomer("late", 2, aboard=False)
    assert board(state(next_line, late, room=1, whole=True, costs=costing(0.3))) == ("late",)
    assert board(state(replace(next_line, slack=2.0), late, room=1, whole=True, costs=costing(0.3))) == ("next",)


def test_the_last_place_of_a_deck_that_works_side_by_side_is_not_lent_while_a_started_stream_waits_for_one() -> None:
    aboard = [file(str(number), number) for number in range(3)]
    waiting = [
        rider("next", 8, aboard=False, slack=9.0),
        file("f", 9, aboard=False),
        newcomer("late", 10, aboard=False),
    ]
    assert board(state(*aboard, *waiting, room=4, costs=costing(0.1))) == ("next",)


def test_a_file_that_waited_too_long_gets_one_place_before_the_started() -> None:
    waiting = [rider("next", 1, aboard=False, slack=0.1), file("f1", 2, aboard=False), file("f2", 3, aboard=False)]
    assert board(state(*waiting, room=1, owed=RULES.patience + 1, costs=costing(0.5))) == ("f1",)
    assert board(state(file("f0", 0), *waiting, room=2, owed=RULES.patience + 1, costs=costing(0.5))) == ("next",)


def test_a_listener_that_does_not_listen_is_no_load() -> None:
    stalled = [rider(str(number), number, slack=-5.0, held=True) for number in range(3)]
    late = newcomer("late", 9, aboard=False)
    assert board(state(*stalled, late, costs=costing(0.3))) == ("late",)


def test_files_leave_a_place_of_a_wide_deck_to_streams() -> None:
    lines = [file(str(number), number, aboard=False) for number in range(20)]
    assert len(board(state(*lines, room=16))) == 15


# Whatever the picture


@settings(deadline=None)
@given(states())
def test_places_go_to_waiting_lines_within_the_room_and_in_each_jobs_order(seen: State) -> None:
    boarded = board(seen)
    waiting = [each for each in seen.riders if not each.aboard]
    aboard = len(seen.riders) - len(waiting)
    assert len(boarded) == len(set(boarded)) <= max(0, seen.room - aboard)
    assert set(boarded) <= {each.line for each in waiting}
    for job in {each.job for each in waiting}:
        own = [each.line for each in waiting if each.job == job]
        assert [line for line in boarded if line in own] == own[: len([line for line in boarded if line in own])]


@settings(deadline=None)
@given(states())
def test_an_empty_deck_lets_somebody_in_unless_only_lines_behind_others_wait(seen: State) -> None:
    riders = tuple(replace(each, aboard=False, held=False, slack=max(1.0, each.slack)) for each in seen.riders)
    if riders:
        assert board(replace(seen, riders=riders, ready=()))
