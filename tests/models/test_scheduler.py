"""The choices: who comes aboard and who moves, over plain data."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.boarding import board
from models.costs import Costs
from models.engine import Work
from models.scheduler import Rider, Rules, State, choose, settle, spare_seconds

STAGES = ("prefill", "decode", "vocode")
RULES = Rules()


def rider(line: str, order: int = 0, **known: Any) -> Rider:
    """Alone of its job, a started stream aboard with a second in hand, unless told otherwise."""
    told: dict[str, Any] = {
        "job": order,
        "served": order,
        "aboard": True,
        "stream": True,
        "started": True,
        "leads": True,
        "slack": 1.0,
        "seconds": 5.0,
    }
    return Rider(line, order=order, **told | known)


def newcomer(line: str, order: int = 0, **known: Any) -> Rider:
    return rider(line, order, **{"started": False, "slack": 0.0} | known)


def file(line: str, order: int = 0, **known: Any) -> Rider:
    return rider(line, order, **{"stream": False, "started": False, "slack": 0.0} | known)


def work(line: str, stage: str = "speak", size: int = 50, seconds: float = 1.0, least: int = 5) -> Work:
    return Work(line, stage, size, seconds, least)


def state(*riders: Rider, ready: list[Work] | None = None, **known: Any) -> State:
    offers = [work(each.line) for each in riders if each.aboard] if ready is None else ready
    told: dict[str, Any] = {"stages": ("speak",), "riders": riders, "ready": tuple(offers), "room": 8, "rows": 1}
    return State(**told | known)


def costing(seconds: float, sound: float = 1.0, rows: int = 1, size: int = 50) -> Costs:
    costs = Costs()
    costs.learn("speak", rows, size, seconds, sound)
    return costs


def lead(state: State) -> str:
    turn = choose(state)
    assert turn is not None
    return turn.work[0].line


# Who moves


def test_nothing_moves_when_nobody_can() -> None:
    assert choose(state()) is None
    assert choose(state(rider("a", held=True))) is None


def test_the_stream_that_runs_dry_first_goes_first() -> None:
    assert lead(state(rider("a", 1, slack=0.9), rider("b", 2, slack=0.2), rider("c", 3, slack=0.5))) == "b"


def test_a_newcomer_goes_before_streams_that_can_spare_its_turn() -> None:
    assert lead(state(rider("a", 1, slack=1.5), newcomer("new", 2), costs=costing(0.1))) == "new"


def test_a_started_stream_is_never_sacrificed_for_a_newcomer() -> None:
    assert lead(state(rider("a", 1, slack=0.2), newcomer("new", 2), costs=costing(0.3))) == "a"


def test_newcomers_go_in_the_order_in_which_they_came() -> None:
    assert lead(state(newcomer("second", 2), newcomer("first", 1))) == "first"


def test_files_fill_what_comfortable_streams_leave() -> None:
    assert lead(state(rider("a", 1, slack=9.0), file("f", 2), costs=costing(0.1))) == "f"
    assert lead(state(rider("a", 1, slack=1.0), file("f", 2), costs=costing(0.1))) == "a"


def test_files_that_are_owed_time_go_before_newcomers_but_not_at_the_cost_of_the_started() -> None:
    assert lead(state(newcomer("new", 1), file("f", 2), owed=0.5, costs=costing(0.1))) == "f"
    assert lead(state(rider("a", 1, slack=0.1), file("f", 2), owed=0.5, costs=costing(0.3))) == "a"


def test_files_that_were_owed_time_for_long_go_before_anybody() -> None:
    tight = state(rider("a", 1, slack=0.1), file("f", 2), owed=RULES.patience + 1, costs=costing(0.3))
    assert lead(tight) == "f"


def test_files_of_several_jobs_take_turns_and_a_job_keeps_its_order() -> None:
    lines = [file("a1", 1, job=1, served=7), file("a2", 2, job=1, served=7), file("b1", 3, job=2, served=5)]
    assert lead(state(*lines)) == "b1"
    turn = choose(state(*lines, rows=3))
    assert turn is not None
    assert [each.line for each in turn.work] == ["b1", "a1", "a2"]


def test_rows_of_one_stage_go_together_up_to_the_batch() -> None:
    riders = [rider(str(number), number, slack=number) for number in range(1, 6)]
    turn = choose(state(*riders, rows=3))
    assert turn is not None
    assert {each.line for each in turn.work} == {"1", "2", "3"}


def test_rows_of_another_stage_wait() -> None:
    ready = [work("a", "decode"), work("b", "vocode")]
    turn = choose(state(rider("a", 1, slack=0.1), rider("b", 2), ready=ready, stages=STAGES, rows=8))
    assert turn is not None
    assert (turn.stage, [each.line for each in turn.work]) == ("decode", ["a"])


def test_the_first_chunk_is_as_small_as_the_engine_speaks_well() -> None:
    turn = choose(state(newcomer("new"), first=0.1))
    assert turn is not None
    assert turn.work == (work("new", size=5, seconds=0.1),)


def test_chunks_grow_with_the_sound_in_hand() -> None:
    sizes = []
    for slack in (0.0, 0.4, 0.8, 1.6, 60.0):
        turn = choose(state(rider("a", slack=slack), first=0.1))
        assert turn is not None
        sizes.append(turn.work[0].size)
    assert sizes == [5, 17, 33, 50, 50]


def test_a_file_goes_as_far_as_one_chunk_may() -> None:
    long = choose(state(file("f"), ready=[work("f", size=500, seconds=10.0)]))
    short = choose(state(file("f"), ready=[work("f", size=50, seconds=1.0)]))
    assert long is not None
    assert short is not None
    assert (long.work[0].size, short.work[0].size) == (200, 50)


def test_a_line_moves_towards_sound_as_soon_as_a_chunk_is_there() -> None:
    early = [work("a", "decode"), work("a", "vocode", size=5, seconds=0.1)]
    dry = choose(state(rider("a", slack=0.0), ready=early, stages=STAGES, first=0.1))
    rich = choose(state(rider("a", slack=3.0), ready=early, stages=STAGES, first=0.1))
    assert dry is not None
    assert rich is not None
    assert (dry.stage, rich.stage) == ("vocode", "decode")


def decoding(*rows: int) -> Costs:
    """Each step costs as much alone as in a row; a vocoder's call costs as much as eight frames besides."""
    costs = Costs()
    for count in rows:
        for size in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64):
            costs.learn("decode", count, size, 0.005 * size, size / 50)
            costs.learn("vocode", count, size, 0.016 + 0.002 * size, size / 50)
    return costs


def test_a_turn_is_short_where_that_costs_little_so_that_a_newcomer_finds_the_deck_free() -> None:
    at_ease = rider("a", slack=20.0)
    long = [work("a", stage, size=48, seconds=0.96, least=1) for stage in STAGES]
    sizes = {}
    for stage in (1, 2):
        turn = choose(state(at_ease, ready=[long[stage]], stages=STAGES, costs=decoding(1)))
        assert turn is not None
        sizes[turn.stage] = turn.work[0].size
    assert sizes == {"decode": 6, "vocode": 24}


def test_a_turn_whose_like_was_never_seen_is_not_cut_for_it() -> None:
    turn = choose(state(rider("a", slack=20.0), ready=[work("a", "decode", 48, 0.96)], stages=STAGES))
    assert turn is not None
    assert turn.work[0].size == 48


def test_who_is_at_ease_stays_behind_when_a_newcomer_leads_and_who_is_not_goes_along() -> None:
    riders = [newcomer("new", 9), rider("rich", 1, slack=5.0), rider("poor", 2, slack=0.6), file("f", 3)]
    for owed, along in ((0.0, {"new", "poor"}), (0.5, {"f", "new", "poor"})):
        turn = choose(state(*riders, rows=8, owed=owed))
        assert turn is not None
        assert {each.line for each in turn.work} >= along - {"f"}
        assert "rich" not in {each.line for each in turn.work} or turn.work[0].line == "f"


def test_while_there_is_time_the_stage_goes_that_more_rows_want() -> None:
    riders = [rider("next", 0, slack=0.4), *(rider(str(n), n, slack=0.5) for n in range(1, 5))]
    ready = [work("next", "vocode", 20, 0.4, 1), *(work(str(n), "decode", 20, 0.4, 1) for n in range(1, 5))]
    patient = choose(state(*riders, ready=ready, stages=STAGES, rows=8, costs=decoding(1, 2, 4, 6)))
    pressed = [replace(riders[0], slack=0.05), *riders[1:]]
    urgent = choose(state(*pressed, ready=ready, stages=STAGES, rows=8, costs=decoding(1, 2, 4, 6)))
    assert patient is not None
    assert urgent is not None
    assert (patient.stage, urgent.stage) == ("decode", "vocode")


def test_a_started_stream_with_little_in_hand_does_not_count_those_who_have_more_as_before_it() -> None:
    riders = [rider("tight", 0, slack=0.15), *(rider(str(n), n, slack=5.0) for n in range(1, 8))]
    costs = Costs()
    costs.learn("speak", 1, 5, 0.02, 0.1)
    costs.learn("speak", 8, 5, 0.10, 0.1)
    assert spare_seconds(state(*riders, rows=8, costs=costs, first=0.1)) > 0.05


def test_a_stream_that_awaits_its_text_is_not_taken_for_one_that_runs_dry() -> None:
    silent = rider("silent", 1, slack=-30.0, mute=True)
    assert spare_seconds(state(silent)) == float("inf")
    assert lead(state(silent, newcomer("new", 2), ready=[work("new")], costs=costing(5.0))) == "new"


def test_a_long_prefill_is_cut_to_a_turn() -> None:
    costs = Costs()
    costs.learn("prefill", 1, 1000, 0.8, 0.0)
    costs.learn("prefill", 1, 125, 0.09, 0.0)
    ready = [work("new", "prefill", size=1000, seconds=0.0, least=1)]
    turn = choose(state(newcomer("new"), ready=ready, stages=STAGES, costs=costs))
    assert turn is not None
    assert turn.work[0].size == 125


def test_rows_that_would_cost_the_started_their_chunk_stay_behind() -> None:
    costs = Costs()
    costs.learn("speak", 1, 5, 0.1, 0.1)
    costs.learn("speak", 2, 5, 0.2, 0.1)
    turn = choose(state(rider("a", 1, slack=0.22), file("f", 2), rows=4, costs=costs, first=0.1))
    assert turn is not None
    assert [each.line for each in turn.work] == ["a"]


def test_somebody_moves_even_when_the_started_wait_for_a_place() -> None:
    waiting = rider("a", 1, aboard=False, slack=-1.0)
    assert lead(state(waiting, file("f", 2), costs=costing(1.0))) == "f"


# Who comes aboard


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
    for slack, load, boarded in ((0.4, 0.2, ()), (0.6, 0.2, ("late",)), (0.4, 0.1, ("late",))):
        started = [rider(str(number), number, slack=slack) for number in range(3)]
        costs = costing(load, sound=1.0)
        costs.learn("speak", 1, 5, load / 10, 0.1)
        assert board(state(*started, late, costs=costs, first=0.1)) == boarded


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


# What is owed


def test_files_are_owed_their_share_of_contended_time_only() -> None:
    assert settle(0.0, 1.0, files=0, rows=4, contended=True, share=0.1) == 0.1
    assert settle(0.5, 1.0, files=4, rows=4, contended=True, share=0.1) == 0.0
    assert settle(0.5, 1.0, files=0, rows=4, contended=False, share=0.1) == 0.0


# Whatever the picture


@st.composite
def states(draw: st.DrawFn) -> State:
    riders: list[Rider] = []
    started = draw(st.sets(st.integers(0, 4)))
    for order in range(draw(st.integers(0, 12))):
        job = draw(st.integers(0, 4))
        riders.append(
            rider(
                f"line{order}",
                order,
                job=job,
                served=draw(st.integers(0, 20)),
                stream=job < 3,
                started=job in started,
                aboard=draw(st.booleans()),
                leads=all(other.job != job for other in riders),
                slack=draw(st.floats(-5, 90)),
                seconds=draw(st.floats(0.2, 30)),
                held=draw(st.booleans()),
            )
        )
    costs = Costs()
    for stage in STAGES:
        for _ in range(draw(st.integers(0, 3))):
            costs.learn(
                stage,
                draw(st.integers(1, 8)),
                draw(st.integers(1, 100)),
                draw(st.floats(0, 2)),
                draw(st.floats(0.01, 2)),
            )
    ready = []
    for each in riders:
        for stage in draw(st.sets(st.sampled_from(STAGES))) if each.aboard else ():
            size = draw(st.integers(1, 500))
            seconds = 0.0 if stage == "prefill" else size / 50
            ready.append(Work(each.line, stage, size, seconds, draw(st.integers(1, size))))
    return State(
        STAGES,
        tuple(riders),
        tuple(ready),
        room=draw(st.integers(1, 16)),
        rows=draw(st.integers(1, 8)),
        whole=draw(st.booleans()),
        owed=draw(st.floats(0, 10)),
        costs=costs,
    )


@settings(deadline=None)
@given(states())
def test_a_turn_is_one_stage_of_what_was_offered_each_line_once_and_no_more_rows_than_allowed(seen: State) -> None:
    turn = choose(seen)
    free = {each.line for each in seen.riders if each.aboard and not each.held}
    offers = {(each.line, each.stage): each for each in seen.ready if each.line in free}
    assert (turn is None) == (not offers)
    if turn is None:
        return
    assert len({each.line for each in turn.work}) == len(turn.work) <= seen.rows
    for each in turn.work:
        offer = offers[each.line, each.stage]
        assert each.stage == turn.stage
        assert offer.least == each.least <= each.size <= offer.size


@settings(deadline=None)
@given(states())
def test_while_the_started_are_in_need_the_neediest_who_can_move_leads(seen: State) -> None:
    turn = choose(seen)
    offered = {each.line for each in seen.ready}
    needy = [each for each in seen.riders if each.guarded and each.aboard and each.line in offered]
    if turn is None or not needy or spare_seconds(seen) >= 0 or seen.owed > RULES.patience:
        return
    assert turn.work[0].line == min(needy, key=lambda each: (each.slack, each.order)).line


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
