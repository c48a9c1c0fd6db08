import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import from_db, silence
from speech.loudness import Meter, measure, stream_gain_db
from tests.speech.sounds import cut, noise, sine, true_peak_db, voice


def judged(samples, rate):
    return pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_it_agrees_with_the_reference_at_every_rate(rate):
    for samples in (voice(2.0, rate), noise(1.0, rate), sine(997, 1.3, rate)):
        assert measure(samples, rate).lufs == pytest.approx(judged(samples, rate), abs=0.1)


def test_a_sine_of_known_level_measures_as_the_standard_says():
    assert measure(sine(997, 3.0, 48_000, level=1.0), 48_000).lufs == pytest.approx(-3.01, abs=0.05)


def test_pauses_do_not_make_a_programme_quieter():
    said = voice(2.0)
    with_pauses = np.concatenate([said, silence(3.0, 24_000), said, silence(4.0, 24_000)])
    assert measure(with_pauses, 24_000).lufs == pytest.approx(measure(said, 24_000).lufs, abs=0.6)
    assert measure(with_pauses, 24_000).lufs == pytest.approx(judged(with_pauses, 24_000), abs=0.1)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.39])
def test_a_sound_too_short_for_the_standards_block_is_measured_as_a_whole(seconds):
    assert measure(sine(997, seconds), 24_000).lufs == pytest.approx(measure(sine(997, 2.0), 24_000).lufs, abs=0.5)


@pytest.mark.parametrize("samples", [silence(1.0, 24_000), silence(0.1, 24_000), np.zeros(0, np.float32)])
def test_silence_measures_as_silent(samples):
    assert measure(samples, 24_000).lufs == -120


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_true_peaks_are_found_between_samples(rate):
    said = (0.9 * np.sin(np.pi / 2 * np.arange(rate) + np.pi / 4)).astype(np.float32)
    assert measure(said, rate).true_peak_db == pytest.approx(true_peak_db(said), abs=0.1)
    assert measure(voice(1.0, rate), rate).true_peak_db == pytest.approx(true_peak_db(voice(1.0, rate)), abs=0.1)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 5_000))
def test_the_cutting_does_not_matter(size):
    meter = Meter(24_000)
    for part in cut(voice(1.0), size):
        meter.feed(part)
    heard, whole = meter.finish(), measure(voice(1.0), 24_000)
    assert heard.lufs == pytest.approx(whole.lufs, abs=1e-6)
    assert heard.true_peak_db == pytest.approx(whole.true_peak_db, abs=1e-3)


def test_a_streams_gain_brings_the_voice_to_the_target():
    assert stream_gain_db(-26.0, -16.0) == 10.0
    assert measure(voice(2.0) * from_db(stream_gain_db(measure(voice(2.0), 24_000).lufs, -20)), 24_000).lufs == (
        pytest.approx(-20, abs=0.01)
    )


@pytest.mark.parametrize(("spoken", "target"), [(None, -16.0), (-20.0, None), (-120.0, -16.0)])
def test_without_a_measure_or_a_target_a_stream_gets_no_gain(spoken, target):
    assert stream_gain_db(spoken, target) == 0.0


def test_no_gain_lifts_a_whisper_to_a_shout():
    assert stream_gain_db(-60.0, -10.0) == 30.0
