import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basics.audio import Samples
from speech.joins import Joins
from tests.speech.sounds import cut, sine

RATE = 24_000


def joined(lines: list[tuple[float, Samples]], size: int = 480) -> Samples:
    joins, parts = Joins(RATE), [np.zeros(0, np.float32)]
    for pause, said in lines:
        joins.begin(pause)
        parts += [joins.feed(part) for part in cut(said, size)]
        parts.append(joins.end())
    return np.concatenate(parts)


def test_pauses_are_exact_and_silent():
    said = sine(300, 0.2)
    heard = joined([(0.0, said), (0.35, said), (0.123, said)])
    assert heard.size == 3 * said.size + 8_400 + 2_952
    assert not heard[said.size : said.size + 8_400].any()


def test_no_step_at_a_join_is_larger_than_within_the_speech():
    said = np.roll(sine(300, 0.2), 20)
    largest = np.abs(np.diff(sine(300, 0.2))).max()
    heard = np.concatenate([[0], joined([(0.0, said), (0.0, said), (0.1, said)]), [0]])
    assert np.abs(np.diff(heard)).max() <= largest + 1e-6


def test_only_the_edges_are_touched():
    said = sine(300, 0.2)
    heard = joined([(0.0, said)])
    assert np.array_equal(heard[120:-120], said[120:-120])


@pytest.mark.parametrize("size", [0, 1, 60, 130, 250])
def test_a_line_shorter_than_its_fades_keeps_its_length(size):
    assert joined([(0.1, np.ones(size, np.float32))]).size == 2_400 + size


def test_a_pause_before_a_line_of_nothing_still_comes():
    assert joined([(0.5, np.zeros(0, np.float32))]).size == 12_000


@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=5), st.integers(1, 500))
def test_any_cutting_gives_the_same_samples(sizes, piece):
    lines = [(0.01, sine(300, 0.1)[:size]) for size in sizes]
    assert np.array_equal(joined(lines, piece), joined(lines, 5_000))
