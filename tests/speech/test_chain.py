import numpy as np
import pytest

from speech.chain import Chain, resampled
from tests.speech.sounds import cut, lag, sine, voice


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_another_rate_is_as_long_and_nothing_is_late(rate):
    said = sine(1_000, 1.0, 24_000)
    heard = resampled(said, 24_000, rate)
    expected = sine(1_000, 1.0, rate)
    assert heard.size == rate
    middle = slice(rate // 10, -rate // 10)
    error = np.mean((heard[middle] - expected[middle]) ** 2) / np.mean(expected[middle] ** 2)
    assert 10 * np.log10(error) < -80
    assert lag(heard, expected) == 0


def test_what_the_lower_rate_cannot_hold_does_not_come_back_as_another_tone():
    heard = resampled(sine(6_500, 1.0, 24_000), 24_000, 8_000)
    assert np.abs(heard[800:-800]).max() < 0.001


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_little_is_held_back(rate):
    chain, fed, given = Chain.resampler(24_000, rate), 0, 0
    for part in cut(voice(0.5), 240):
        given += chain.feed(part).size
        fed += part.size
        assert fed / 24_000 - given / rate <= 0.005


@pytest.mark.parametrize("size", [1, 77, 480, 12_000])
def test_what_comes_out_does_not_depend_on_the_cutting(size):
    chain = Chain.resampler(24_000, 44_100)
    parts = [chain.feed(part) for part in cut(voice(0.5), size)]
    assert np.array_equal(np.concatenate([*parts, chain.finish()]), resampled(voice(0.5), 24_000, 44_100))


def test_nothing_in_is_nothing_out():
    chain = Chain.resampler(24_000, 48_000)
    assert chain.feed(np.zeros(0, np.float32)).size == 0
    assert chain.finish().size == 0


def test_the_same_rate_is_the_very_same_sound():
    said = voice(0.1)
    assert resampled(said, 24_000, 24_000) is said
