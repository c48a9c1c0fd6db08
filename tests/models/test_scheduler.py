"""Who moves next, over plain data."""

from hypothesis import given, settings

from models.costs import Costs
from models.scheduler import State, choose, settle, spare_seconds
from tests.models.pictures import RULES, STAGES, costing, file, newcomer, rider, state, states, work


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
    assert sizes == [round(50 * RULES.second), 17, 33, 50, 50]


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


def test_whoever_has_use_for_the_leads_stage_goes_along_even_if_it_would_have_gone_on_to_another() -> None:
    riders = [rider("tight", 0, slack=0.05), rider("rich", 1, slack=3.0)]
    ready = [
        work("tight", "vocode", 20, 0.4, 1),
        work("rich", "decode", 50, 1.0, 1),
        work("rich", "vocode", 10, 0.2, 1),
    ]
    turn = choose(state(*riders, ready=ready, stages=STAGES, rows=8, costs=decoding(1, 2)))
    assert turn is not None
    assert (turn.stage, [each.line for each in turn.work]) == ("vocode", ["tight", "rich"])


def test_a_newcomers_sound_is_due_a_while_after_it_came_and_later_on_a_fuller_deck() -> None:
    started = [rider(str(number), number, slack=0.4) for number in range(3)]
    for seconds, waited, first in ((0.02, 0.0, "new"), (0.3, 0.0, "0"), (0.3, 0.3, "new")):
        costs = costing(seconds)
        costs.learn("speak", 1, 5, seconds / 10, 0.1)
        seen = state(*started, newcomer("new", 9, waited=waited), costs=costs, first=0.1)
        assert lead(seen) == first


def test_newcomers_go_on_side_by_side_once_who_can_be_heard_has_been() -> None:
    newcomers = [newcomer("earlier", 1, waited=0.04), newcomer("later", 2, waited=0.01)]
    unread = work("later", "prefill", 20, 0.0, 1)
    decoding_first = [work("earlier", "decode", 50, 1.0, 5), unread]
    spoken_first = [work("earlier", "decode", 45, 0.9, 5), work("earlier", "vocode", 5, 0.1, 1), unread]
    for ready, first in ((decoding_first, ("prefill", "later")), (spoken_first, ("vocode", "earlier"))):
        turn = choose(state(*newcomers, ready=ready, stages=STAGES, rows=8, first=0.1))
        assert turn is not None
        assert (turn.stage, turn.work[0].line) == first


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


# What is owed


def test_files_are_owed_their_share_of_contended_time_only() -> None:
    assert settle(0.0, 1.0, files=0, rows=4, contended=True, share=0.1) == 0.1
    assert settle(0.5, 1.0, files=4, rows=4, contended=True, share=0.1) == 0.0
    assert settle(0.5, 1.0, files=0, rows=4, contended=False, share=0.1) == 0.0


# Whatever the picture


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
