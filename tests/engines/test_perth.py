"""Upstream's watermark with its own weights, on sound that is at least as busy as speech."""

from typing import Any

import numpy as np
import pytest

from basics.audio import Samples
from speech.marking import Marking

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

RATE = 24_000


@pytest.fixture(scope="module")
def perth() -> Any:
    from models.engines.perth import Perth

    return Perth.load()


def speech(seconds: float) -> Samples:
    """Harmonics whose pitch, loudness and colour wander."""
    at = np.arange(round(seconds * RATE)) / RATE
    turns = np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * at)) / RATE
    voice = sum(np.sin(2 * np.pi * k * turns) / k * (1 + np.sin(2 * np.pi * (1 + k / 7) * at)) for k in range(1, 25))
    noise = np.random.default_rng(0).normal(0, 0.01, at.size)
    sound: Samples = (0.1 * voice * (0.55 - 0.45 * np.cos(2 * np.pi * 3 * at)) + noise).astype(np.float32)
    return sound


def test_the_mark_is_found_where_it_was_made_and_nowhere_else(perth: Any) -> None:
    plain = speech(4)
    marked = perth.mark(plain, RATE)
    assert marked.shape == plain.shape
    assert marked.dtype == np.float32
    assert (perth.found(plain, RATE), perth.found(marked, RATE)) == (0.0, 1.0)


def test_marked_in_blocks_it_is_the_same_sound(perth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from speech import marking

    monkeypatch.setattr(marking, "BLOCK_SECONDS", 2.0)
    plain = speech(9)
    made = Marking(lambda: perth, RATE)
    given = [made.feed(plain[start : start + 10_000]) for start in range(0, len(plain), 10_000)]
    assert np.abs(np.concatenate([*given, made.finish()]) - perth.mark(plain, RATE)).max() < 1e-5


def test_a_breath_too_short_for_it_stays_as_it_is(perth: Any) -> None:
    plain = speech(0.05)
    assert np.array_equal(perth.mark(plain, RATE), plain)
