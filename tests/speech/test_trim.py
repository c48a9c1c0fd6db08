import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import Samples, from_db, silence
from speech.trim import Trim
from tests.speech.sounds import cut, noise, sine, voice

RATE = 24_000


def trimmed(said: Samples, size: int = 480) -> tuple[Samples, int]:
    trim = Trim(RATE)
    heard = np.concatenate([*(trim.feed(part) for part in cut(said, size)), trim.finish(), np.zeros(0, np.float32)])
    return heard, trim.skipped


def vowel(seconds: float = 0.3) -> Samples:
    return sine(150, seconds, level=0.2)


def test_silence_before_and_after_goes_but_for_a_margin():
    heard, skipped = trimmed(np.concatenate([silence(0.7, RATE), vowel(), silence(0.9, RATE)]))
    assert skipped == pytest.approx(0.66 * RATE, abs=240)
    assert heard.size == pytest.approx((0.04 + 0.3 + 0.1) * RATE, abs=480)


def test_what_is_left_is_what_was_said_sample_by_sample():
    said = np.concatenate([silence(0.5, RATE), voice(1.0), silence(0.5, RATE)])
    heard, skipped = trimmed(said)
    assert np.array_equal(heard, said[skipped : skipped + heard.size])


@pytest.mark.parametrize("level_db", [-58, -50, -40])
@pytest.mark.parametrize("seconds", [0.06, 0.12, 0.2])
def test_a_soft_fricative_before_the_vowel_is_kept(level_db, seconds):
    breath = noise(seconds, level=from_db(level_db))
    heard, skipped = trimmed(np.concatenate([silence(0.4, RATE), breath, vowel(), silence(0.4, RATE)]))
    assert 0.3 * RATE < skipped <= 0.4 * RATE
    assert heard.size >= breath.size + 0.3 * RATE


def test_a_stop_whose_burst_is_apart_from_the_vowel_is_kept():
    burst = noise(0.01, level=0.004)
    said = np.concatenate([silence(0.4, RATE), burst, silence(0.04, RATE), vowel(), silence(0.3, RATE)])
    assert trimmed(said)[1] <= 0.4 * RATE


@pytest.mark.parametrize("level_db", [-54, -45])
def test_a_soft_fricative_at_the_end_is_kept(level_db):
    said = np.concatenate([vowel(), noise(0.15, level=from_db(level_db)), silence(0.6, RATE)])
    heard, skipped = trimmed(said)
    assert skipped == 0
    assert heard.size >= (0.3 + 0.15) * RATE
    assert heard.size <= (0.3 + 0.15 + 0.11) * RATE


def test_a_decaying_end_is_not_cut_short():
    decay = (vowel(1.0) * np.exp(-np.arange(RATE) / (0.08 * RATE))).astype(np.float32)
    heard, _ = trimmed(np.concatenate([vowel(), decay, silence(1.0, RATE)]))
    rest = decay[heard.size - vowel().size :]
    assert np.abs(rest).max() < 0.2 * from_db(-50)


def test_silence_inside_a_line_stays():
    said = np.concatenate([vowel(), silence(1.5, RATE), vowel()])
    assert trimmed(said)[0].size == said.size


def test_steady_noise_around_the_speech_is_no_speech():
    said = np.concatenate([silence(1.0, RATE), vowel(), silence(1.0, RATE)]) + noise(2.3, level=from_db(-55))
    heard, skipped = trimmed(said)
    assert 0.8 * RATE < skipped < 1.0 * RATE
    assert heard.size < 0.6 * RATE


@pytest.mark.parametrize(
    "said",
    [silence(2.0, RATE), silence(0.001, RATE), np.zeros(0, np.float32), np.full(RATE, 0.01, np.float32)],
    ids=["silence", "one frame", "nothing", "an offset"],
)
def test_a_line_of_silence_gives_nothing(said):
    assert trimmed(said)[0].size == 0


def test_a_voice_so_soft_that_it_is_never_certain_is_still_heard():
    whisper = voice(1.0, level=0.006)
    heard, _ = trimmed(np.concatenate([silence(0.5, RATE), whisper, silence(0.5, RATE)]))
    assert heard.size > 0.8 * RATE


def test_a_tone_without_any_silence_is_left_alone():
    said = sine(220, 1.0)
    heard, skipped = trimmed(said)
    assert skipped == 0
    assert np.array_equal(heard, said)


def test_speech_leaves_within_a_frame_and_only_silence_is_held():
    trim, given, fed = Trim(RATE), 0, 0
    for part in cut(vowel(1.0), 480):
        given += trim.feed(part).size
        fed += part.size
        assert fed - given <= 240


def test_a_silence_of_a_minute_is_not_held_for_ever():
    trim = Trim(RATE)
    trim.feed(vowel())
    given = sum(trim.feed(silence(1.0, RATE)).size for _ in range(60))
    assert given == pytest.approx(55 * RATE, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=12))
def test_any_cutting_gives_the_same_samples(sizes):
    said = np.concatenate([silence(0.3, RATE), voice(0.7), silence(0.4, RATE), vowel(), silence(0.5, RATE)])
    trim, parts, at = Trim(RATE), [], 0
    for size in sizes:
        parts.append(trim.feed(said[at : at + size]))
        at += size
    heard = np.concatenate([*parts, trim.feed(said[at:]), trim.finish()])
    whole, skipped = trimmed(said, said.size)
    assert np.array_equal(heard, whole)
    assert trim.skipped == skipped


def test_real_speech_loses_only_what_nobody_hears():
    from hibari import Hibari

    speaker = Hibari()
    for text in ("She sells sea shells.", "Five fine fish.", "Half past four.", "Puff!"):
        said = speaker(text, seed=1).astype(np.float32)
        heard, skipped = trimmed(said)
        lost = np.concatenate([said[:skipped], said[skipped + heard.size :]])
        assert 0 < lost.size < said.size / 2
        assert np.abs(lost).max() < from_db(-55)
