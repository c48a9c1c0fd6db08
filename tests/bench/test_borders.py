import numpy as np
import pytest

from basics.audio import Samples
from bench.borders import area, louder, missing

RATE = 24_000


def voice(seed: int, seconds: float = 3.0) -> Samples:
    """Harmonics of a wandering pitch, and a breath of noise."""
    dice, at = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    turns = np.cumsum(120 + 40 * np.sin(2 * np.pi * (0.5 + seed / 9) * at)) / RATE
    tone = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 15))
    sound: Samples = (0.1 * tone * (1.2 + np.sin(2 * np.pi * 2.3 * at)) + dice.normal(0, 0.01, at.size)).astype(
        np.float32
    )
    return sound


def lines() -> list[tuple[Samples, list[int]]]:
    return [(voice(seed), [int(at) for at in np.arange(1, 6) * 11_000 + 137 * seed]) for seed in range(24)]


def test_places_that_are_no_borders_are_not_told_from_others():
    assert 0.4 < area(lines()) < 0.6


@pytest.mark.parametrize("spoil", [missing, louder])
def test_a_border_at_which_something_is_wrong_is_found(spoil):
    assert area(lines(), spoil=spoil) > 0.7
