"""Costs: learnt from turns that ran, bounded for those that did not."""

import sys
import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from models.costs import Costs, edge


def test_what_was_never_seen_costs_nothing_so_that_it_is_tried() -> None:
    costs = Costs()
    assert costs.of("decode", 4, 10) == 0.0
    assert costs.capacity(8) is None


def test_a_turn_costs_what_it_cost_before() -> None:
    costs = Costs()
    costs.learn("decode", 4, 10, 0.05, 0.2)
    assert costs.of("decode", 4, 10) == 0.05


def test_one_slow_turn_does_not_move_the_estimate() -> None:
    costs = Costs()
    for seconds in (0.05, 0.05, 9.0, 0.05):
        costs.learn("decode", 4, 10, seconds, 0.2)
    assert costs.of("decode", 4, 10) == 0.05


def test_a_lasting_change_is_learnt_within_a_few_turns() -> None:
    costs = Costs()
    for seconds in [0.05] * 20 + [0.2] * 5:
        costs.learn("decode", 4, 10, seconds, 0.2)
    assert costs.of("decode", 4, 10) == 0.2


def test_a_larger_turn_is_taken_to_cost_in_proportion_and_a_smaller_one_no_less() -> None:
    costs = Costs()
    costs.learn("decode", 2, 8, 0.1, 0.2)
    assert costs.of("decode", 4, 16) == 0.4
    assert costs.of("decode", 1, 4) == 0.1


def test_each_shape_seen_bounds_the_others_and_the_least_bound_counts() -> None:
    costs = Costs()
    costs.learn("decode", 1, 8, 0.1, 0.2)
    costs.learn("decode", 8, 8, 0.12, 0.2)
    assert costs.of("decode", 4, 8) == 0.12


def test_capacity_is_how_many_listeners_all_stages_together_can_feed() -> None:
    costs = Costs()
    costs.learn("decode", 4, 10, 0.3, 1.0)
    costs.learn("vocode", 4, 10, 0.1, 1.0)
    costs.learn("prefill", 4, 100, 5.0, 0.0)
    assert costs.load(4, rows=4) == 0.4
    assert costs.capacity(4) == 10


def test_others_may_ask_for_the_capacity_while_turns_are_learnt() -> None:
    costs, over, faults = Costs(), threading.Event(), []

    def ask() -> None:
        try:
            while not over.is_set():
                costs.capacity(8)
        except (RuntimeError, KeyError) as error:
            faults.append(error)

    asking, interval = threading.Thread(target=ask), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    asking.start()
    try:
        for number in range(300):
            costs.learn(f"stage{number}", 1 + number % 8, 10, 0.05, 0.2)
    finally:
        over.set()
        asking.join()
        sys.setswitchinterval(interval)
    assert faults == []


@settings(deadline=None)
@given(st.integers(1, 100_000))
def test_edges_hold_what_they_stand_for_and_little_more(count: int) -> None:
    assert count <= edge(count) <= max(1, count * 1.5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(1, 512), st.floats(1e-4, 10)), min_size=1, max_size=20),
    st.integers(1, 64),
    st.integers(1, 512),
)
def test_estimates_are_never_under_all_that_was_seen_nor_over_proportion(
    seen: list[tuple[int, int, float]], rows: int, size: int
) -> None:
    costs = Costs()
    for each in seen:
        costs.learn("speak", *each, 1.0)
    least, most = min(seconds for *_, seconds in seen), max(seconds for *_, seconds in seen)
    assert least <= costs.of("speak", rows, size) <= most * 64 * 512
