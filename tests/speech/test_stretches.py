import numpy as np
import pytest

from basics.audio import Samples
from listening.activity import Span
from speech.stretches import loud, stretches

RATE = 1000


def sound(seconds: float, *loud: tuple[float, float]) -> Samples:
    """Silent but for these stretches, in which each sample tells its own time."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    for start, end in loud:
        samples[round(start * RATE) : round(end * RATE)] = 0.5
    return samples


def spans(*loud: tuple[float, float]) -> list[Span]:
    return [Span(start, end) for start, end in loud]


def test_what_fits_together_is_one_stretch_with_its_pauses() -> None:
    loud = ((1.0, 2.0), (2.5, 4.0))
    (one,) = stretches(sound(6, *loud), RATE, spans(*loud), longest=20)
    assert one.pause == 0
    assert len(one.samples) / RATE == pytest.approx(4.0 - 1.0 + 0.14, abs=0.002)


def test_a_long_recording_is_cut_in_pauses_that_stay_as_long_as_they_were() -> None:
    loud = tuple((start, start + 4.0) for start in (1.0, 6.0, 11.5, 16.0))
    samples = sound(22, *loud)
    found = stretches(samples, RATE, spans(*loud), longest=10)
    assert len(found) == 2
    assert all(len(each.samples) <= 10 * RATE for each in found)
    assert sum(np.count_nonzero(each.samples) for each in found) == np.count_nonzero(samples)
    whole = sum(each.pause + len(each.samples) / RATE for each in found)
    assert whole == pytest.approx(20.0 - 1.0 + 0.14, abs=0.005)


def test_speech_without_a_pause_is_cut_where_it_is_quietest_and_none_is_lost() -> None:
    samples = sound(30, (0, 30))
    samples[7000:7040] = 0.01
    found = stretches(samples, RATE, spans((0, 30)), longest=10)
    assert all(len(each.samples) <= 10 * RATE and each.pause == 0 for each in found)
    assert sum(len(each.samples) for each in found) == len(samples)
    assert len(found[0].samples) == pytest.approx(7020, abs=21)


def test_silence_has_no_stretch() -> None:
    assert stretches(sound(5), RATE, [], longest=10) == []
    assert loud(sound(5), RATE) == loud(sound(0), RATE) == []


def test_whatever_sounds_is_found_however_little_it_is_like_speech() -> None:
    samples = np.random.default_rng(0).normal(0, 1e-5, 10 * RATE).astype(np.float32)
    samples[2000:4000] += np.random.default_rng(1).normal(0, 0.1, 2000).astype(np.float32)
    samples[5000:8000] += np.random.default_rng(2).normal(0, 0.005, 3000).astype(np.float32)
    first, second = loud(samples, RATE)
    assert (first.start, first.end) == pytest.approx((2.0, 4.0), abs=0.05)
    assert (second.start, second.end) == pytest.approx((5.0, 8.0), abs=0.05)
