import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import Samples, rms
from speech.stretch import Stretch
from tests.speech.sounds import cut, pitch_hertz, sine, voice


def stretched(said: Samples, speed: float, pitch: float, size: int = 480) -> Samples:
    stretch = Stretch(24_000, speed, pitch)
    return np.concatenate([*(stretch.feed(part) for part in cut(said, size)), stretch.finish()])


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_speed_changes_how_long_it_plays_and_keeps_the_pitch(speed):
    heard = stretched(sine(220, 2.0), speed, 0)
    assert heard.size == round(48_000 / speed)
    assert pitch_hertz(heard) == pytest.approx(220, rel=0.01)


@pytest.mark.parametrize("pitch", [-12, -5, 3, 7, 12])
def test_pitch_moves_by_semitones_and_keeps_how_long_it_plays(pitch):
    heard = stretched(sine(220, 2.0), 1, pitch)
    assert heard.size == 48_000
    assert pitch_hertz(heard) == pytest.approx(220 * 2 ** (pitch / 12), rel=0.01)


@pytest.mark.parametrize(("speed", "pitch"), [(2.0, -12), (0.5, 12), (1.3, -4), (0.5, -12), (2.0, 12)])
def test_both_at_once(speed, pitch):
    heard = stretched(sine(330, 2.0), speed, pitch)
    assert heard.size == round(48_000 / speed)
    assert pitch_hertz(heard) == pytest.approx(330 * 2 ** (pitch / 12), rel=0.015)
    assert rms(heard) == pytest.approx(rms(sine(330, 2.0)), rel=0.1)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5, 2.0])
def test_what_was_said_when_moves_with_the_speed(speed):
    said = np.zeros(48_000, np.float32)
    said[30_000:31_200] = sine(1_000, 0.05)
    heard = stretched(said, speed, 0)
    middle = float(np.average(np.arange(heard.size), weights=heard**2))
    assert middle == pytest.approx(30_600 / speed, abs=0.025 * 24_000)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5, 2.0])
def test_the_end_is_spoken_to_its_last_sound(speed):
    heard = stretched(sine(300, 1.0), speed, 0)
    assert rms(heard[-480:]) > 0.5 * rms(sine(300, 1.0))


def test_unchanged_speed_and_pitch_pass_the_very_same_sound():
    said, stretch = voice(0.2), Stretch(24_000)
    assert stretch.feed(said) is said
    assert stretch.finish().size == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=8), st.sampled_from([(1.3, 0), (0.7, 4), (1, -3)]))
def test_any_cutting_gives_the_same_samples(sizes, setting):
    said, at, parts = voice(1.0)[: sum(sizes)], 0, []
    stretch = Stretch(24_000, *setting)
    for size in sizes:
        parts.append(stretch.feed(said[at : at + size]))
        at += size
    assert np.array_equal(np.concatenate([*parts, stretch.finish()]), stretched(said, *setting, size=24_000))


@pytest.mark.parametrize("size", [1, 100, 2_000])
def test_even_a_word_shorter_than_the_filters_pieces_is_as_long_as_the_speed_says(size):
    assert stretched(voice(1.0)[:size], 1.5, 2).size == round(size / 1.5)


def test_nothing_said_stays_nothing():
    assert Stretch(24_000, 1.5).finish().size == 0


@pytest.mark.parametrize(("speed", "pitch"), [(0.5, 0), (2.0, 0), (1.0, 12)])
def test_it_holds_back_little(speed, pitch):
    stretch, fed, given = Stretch(24_000, speed, pitch), 0, 0
    for part in cut(voice(2.0), 480):
        given += stretch.feed(part).size
        fed += part.size
        assert fed - given * speed <= 0.12 * 24_000
