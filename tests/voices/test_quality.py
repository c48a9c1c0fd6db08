import numpy as np
import pytest

from basics.audio import Samples
from listening.activity import Levels
from tests.voices.speaking import RATE, beside, music, noise, raised, sentence, speech
from voices.music import steady_share
from voices.quality import Quality, judge


def judged(samples: Samples, clipped: float = 0.0) -> Quality:
    return judge(samples, RATE, Levels().spans(samples, RATE), clipped)


def test_clean_speech_has_nothing_to_complain_of() -> None:
    found = judged(speech(3))
    assert found.warnings == ()
    assert found.score > 0.9
    assert found.snr_db > 40


@pytest.mark.parametrize("db", [5, 10, 20, 30])
def test_noise_is_measured_within_three_decibels(db: float) -> None:
    whole = speech(3)
    spoken = np.abs(whole) > 0
    noisy = whole + noise(len(whole), float(np.sqrt(np.mean(whole[spoken] ** 2))) * 10 ** (-db / 20))
    in_band = 10 * np.log10((RATE / 2) / (5000 - 80))
    assert judged(noisy).snr_db == pytest.approx(db + in_band, abs=3)


def test_noise_is_said_with_its_number_and_lowers_the_score() -> None:
    whole = speech(3)
    found = [judged(beside(whole, noise(len(whole)), db)) for db in (30, 15, 5)]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert any(words.startswith("noisy: ") and "dB" in words for words in found[-1].warnings)


def test_clipping_is_said_as_a_share() -> None:
    found = judged(speech(3), clipped=0.031)
    assert any("3.1%" in words for words in found.warnings)
    assert found.score < 0.7


@pytest.mark.parametrize("db", [0, 10, 20])
def test_music_is_heard_below_a_voice(db: float) -> None:
    whole = speech(3)
    assert any("music" in words for words in judged(beside(whole, music(len(whole)), db)).warnings)


def test_speech_and_noise_are_no_music() -> None:
    assert max(steady_share(sentence(at), RATE) for at in range(4)) < 0.02
    assert steady_share(noise(5 * RATE), RATE) < 0.02
    assert steady_share(music(5 * RATE), RATE) > 0.5


@pytest.mark.parametrize("semitones", [-8, 8])
def test_a_deep_and_a_high_voice_are_two_speakers(semitones: float) -> None:
    both = np.concatenate([speech(2), raised(speech(4)[len(speech(2)) :], semitones)])
    assert any(words.startswith("several speakers") for words in judged(both).warnings)


def test_one_lively_speaker_is_one() -> None:
    assert not any("several" in words for words in judged(speech(4)).warnings)


def test_little_speech_is_said_in_seconds() -> None:
    assert any(words.startswith("short: ") and " s of speech" in words for words in judged(sentence(0)).warnings)
