import numpy as np
import pytest

from basics.audio import peak
from listening.activity import Levels
from tests.voices.speaking import RATE, hum, noise, sentence, speech
from voices import hum as hums
from voices.cleaning import append, clean, level, loudness, stepped, trim


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_clean_speech_comes_out_as_it_went_in() -> None:
    whole = speech()
    cleaned = clean(whole, RATE)
    assert cleaned.hum is None
    assert np.array_equal(cleaned.samples, whole)


def test_the_whole_road_changes_clean_speech_by_its_gain_alone() -> None:
    whole = speech()
    cleaned = clean(whole, RATE)
    spans = Levels().spans(cleaned.samples, RATE)
    samples, trimmed = trim(cleaned.samples, RATE, spans)
    done = stepped(level(samples, RATE, trimmed))
    first = round((spans[0].start - 0.15) * RATE)
    assert alike(done, whole[first : first + len(done)]) > 0.9999


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("drift", [-0.05, 0.0, 0.05])
def test_hum_is_found_at_its_own_frequency_and_taken_out(mains: int, drift: float) -> None:
    whole = speech()
    spoilt = whole + hum(len(whole), mains + drift, 0.05)
    cleaned = clean(spoilt, RATE)
    assert cleaned.hum is not None
    assert cleaned.hum.mains == mains
    left, was = np.sum((cleaned.samples - whole) ** 2), np.sum((spoilt - whole) ** 2)
    assert 10 * np.log10(left / was) < -20
    assert alike(cleaned.samples, whole) > 0.99


def test_no_hum_is_found_in_speech_or_noise() -> None:
    assert all(hums.find(sentence(at), RATE) is None for at in range(4))
    assert hums.find(noise(5 * RATE), RATE) is None
    assert hums.find(sentence(0) + noise(len(sentence(0)), 0.01), RATE) is None


def test_an_offset_is_taken_away() -> None:
    cleaned = clean(sentence(0) + np.float32(0.2), RATE)
    assert abs(float(np.mean(cleaned.samples))) < 1e-4
    assert cleaned.offset == pytest.approx(0.2, abs=0.01)


def test_it_is_resampled_to_the_rate_that_was_asked_for() -> None:
    cleaned = clean(sentence(0), RATE, 16_000)
    assert cleaned.rate == 16_000
    assert len(cleaned.samples) == pytest.approx(len(sentence(0)) * 2 / 3, abs=2)


def test_silence_goes_from_both_ends_and_stays_between_words() -> None:
    quiet = np.zeros(3 * RATE, np.float32)
    whole = np.concatenate([quiet, speech(), quiet])
    spans = Levels().spans(whole, RATE)
    samples, trimmed = trim(whole, RATE, spans)
    assert len(samples) < len(speech()) + RATE // 2
    assert trimmed[0].start < 0.2
    assert len(samples) / RATE - trimmed[-1].end < 0.2
    assert [round(span.seconds, 3) for span in trimmed] == [round(span.seconds, 3) for span in spans]


@pytest.mark.parametrize("gain", [0.02, 1.0])
def test_the_level_is_twenty_below_full_scale_or_the_peak_one(gain: float) -> None:
    whole = speech() * np.float32(gain)
    spans = Levels().spans(whole, RATE)
    done = level(whole, RATE, spans)
    assert peak(done) <= 10 ** (-1 / 20) + 1e-6
    near = loudness(done, RATE, spans) == pytest.approx(-20, abs=0.2)
    assert near or peak(done) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_joined_recordings_keep_their_words_at_their_times() -> None:
    parts = [(sentence(at), Levels().spans(sentence(at), RATE)) for at in range(2)]
    samples, spans, places = append(parts, RATE)
    moved = parts[1][1][0].start + len(sentence(0)) / RATE + 0.4
    assert spans[len(parts[0][1])].start == pytest.approx(moved)
    assert places[1].end == pytest.approx(len(samples) / RATE)
