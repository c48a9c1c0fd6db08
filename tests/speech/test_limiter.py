import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import Samples, from_db
from speech.chain import Chain
from speech.limiter import HIGHER, OVERSAMPLING, TAPS, Limiter, Peaks
from tests.speech.sounds import cut, noise, sine, true_peak_db, voice

RATE = 24_000


def limited(said: Samples, gain_db: float = 0.0, size: int = 480, rate: int = RATE) -> Samples:
    limiter = Limiter(rate, gain_db)
    return np.concatenate([*(limiter.feed(part) for part in cut(said, size)), limiter.finish()])


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("gain_db", [0, 6, 12, 20])
def test_no_true_peak_is_over_the_ceiling(rate, gain_db):
    assert true_peak_db(limited(voice(1.0, rate), gain_db, rate=rate)) <= -1.0


def test_peaks_between_the_samples_count_too():
    # At a quarter of the rate, an eighth of a turn late: no sample is over 0.71 of the peak.
    said = (np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4)).astype(np.float32)
    assert np.abs(said).max() < 0.72
    assert true_peak_db(limited(said)[1_000:-1_000]) <= -1.0


def test_below_the_ceiling_every_sample_passes_as_it_is():
    said = voice(1.0, level=0.3)
    assert np.array_equal(limited(said), said)


def test_one_gain_holds_from_the_first_sample_to_the_last():
    said = voice(1.0, level=0.05)
    assert np.array_equal(limited(said, 12), (said * from_db(12)).astype(np.float32))


def test_as_many_samples_come_out_and_none_is_late():
    said = np.concatenate([sine(200, 0.5, level=0.1), sine(200, 0.1, level=0.95), sine(200, 0.5, level=0.1)])
    heard = limited(said, 3)
    assert heard.size == said.size
    assert np.allclose(heard[:10_000], said[:10_000] * from_db(3), atol=1e-6)


def test_after_a_peak_the_gain_comes_back():
    said = np.concatenate([sine(200, 0.1, level=2.0), sine(200, 1.0, level=0.1)])
    assert np.allclose(limited(said)[-12_000:], said[-12_000:], atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_it_looks_ahead_five_milliseconds_at_most(rate):
    limiter, fed, given = Limiter(rate, 12), 0, 0
    for part in cut(voice(0.5, rate), 100):
        given += limiter.feed(part).size
        fed += part.size
        assert fed - given <= 0.005 * rate


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=10), st.sampled_from([0.0, 9.0, 18.0]))
def test_any_cutting_gives_the_same_samples(sizes, gain_db):
    said, parts, at = voice(1.0) + noise(1.0, level=0.02), [], 0
    limiter = Limiter(RATE, gain_db)
    for size in sizes:
        parts.append(limiter.feed(said[at : at + size]))
        at += size
    heard = np.concatenate([*parts, limiter.feed(said[at:]), limiter.finish()])
    assert np.array_equal(heard, limited(said, gain_db, said.size))


def test_nothing_in_is_nothing_out():
    assert Limiter(RATE).finish().size == 0


def peaks(said: Samples, size: int, least: float = 0.0, rate: int = RATE) -> Samples:
    meter = Peaks(rate, least)
    return np.concatenate([*(meter.feed(part) for part in cut(said, size)), meter.finish()])


@pytest.mark.parametrize("rate", [11_025, 24_000, 48_000])
@pytest.mark.parametrize("size", [1, 7, 480, 100_000])
def test_a_peak_over_the_least_is_found_though_only_loud_stretches_are_looked_at(rate, size):
    chance = np.random.default_rng(3)
    louder = np.repeat(chance.uniform(0, 1, 40) ** 4, rate // 100).astype(np.float32)
    said = (louder * chance.uniform(-1, 1, louder.size)).astype(np.float32)
    everywhere, found = peaks(said, said.size, rate=rate), peaks(said, size, 0.5, rate)
    assert found.size == said.size
    assert np.array_equal(np.maximum(found, 0.5), np.maximum(everywhere, 0.5))
    assert np.all(found >= np.abs(said))
    assert np.any(found < everywhere)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_the_steepest_sound_that_there_is_goes_no_higher_between_its_samples_than_is_reckoned_with(rate):
    filter, click = Chain.resampler(rate, OVERSAMPLING * rate, TAPS), np.zeros(20 * TAPS, np.float32)
    click[10 * TAPS] = 1.0
    answer = np.concatenate([filter.feed(click), filter.finish()])
    assert max(np.abs(answer[place::OVERSAMPLING]).sum() for place in range(OVERSAMPLING)) < HIGHER


@pytest.mark.parametrize("count", [1, 5, 16, 17, 32, 33, 34, 100])
def test_as_many_peaks_as_samples_however_few_there_are(count):
    said = noise(count / RATE, level=0.9)
    assert peaks(said, 1, 0.5).size == said.size
    assert np.array_equal(peaks(said, 3, 0.1), peaks(said, said.size, 0.1))
