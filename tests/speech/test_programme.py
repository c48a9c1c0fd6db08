import numpy as np
import pyloudnorm
import pytest

from basics.audio import Samples, from_db, silence
from speech import programme
from speech.programme import Programme
from tests.speech.sounds import cut, noise, sine, true_peak_db, voice

RATE = 24_000


def levelled(said: Samples, loudness: float | None, rate: int = RATE, size: int = 1_000) -> Samples:
    with Programme(rate, loudness) as whole:
        for part in cut(said, size):
            whole.feed(part)
        return np.concatenate([np.zeros(0, np.float32), *whole.finish()])


def lufs(samples: Samples, rate: int = RATE) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples.astype(np.float64)))


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
@pytest.mark.parametrize("loudness", [-40, -23, -16, -12])
def test_a_file_is_as_loud_as_asked_and_no_peak_is_over_the_ceiling(rate, loudness):
    heard = levelled(voice(3.0, rate, level=0.2), loudness, rate)
    assert lufs(heard, rate) == pytest.approx(loudness, abs=0.5)
    assert true_peak_db(heard) <= -1.0
    assert heard.size == 3 * rate


@pytest.mark.parametrize("loudness", [-23, -16, -14])
def test_quiet_speech_with_high_peaks_is_as_loud_as_asked(loudness):
    peaky = voice(3.0, level=0.05)
    peaky[::6_000] = 0.9
    heard = levelled(peaky, loudness)
    assert lufs(heard) == pytest.approx(loudness, abs=0.5)
    assert true_peak_db(heard) <= -1.0


def test_what_no_limiter_can_do_comes_as_near_as_it_can_below_the_ceiling():
    heard = levelled(voice(2.0), -5)
    assert lufs(heard) > -11
    assert true_peak_db(heard) <= -1.0


def test_where_peaks_allow_it_is_one_gain_and_nothing_else():
    said = voice(2.0, level=0.2)
    heard = levelled(said, -23)
    ratio = heard[np.abs(said) > 0.01] / said[np.abs(said) > 0.01]
    assert np.ptp(ratio) < 1e-5 * ratio.mean()


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_a_word_shorter_than_the_standards_block_is_levelled_too(seconds):
    heard = levelled(sine(300, seconds, level=0.05), -20)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(from_db(-20 + 0.7), rel=0.15)


def test_null_loudness_leaves_every_sample_as_it_is():
    said = voice(1.0)
    assert np.array_equal(levelled(said, None), said)


def test_null_loudness_still_never_clips():
    said = voice(1.0, level=1.5)
    heard = levelled(said, None)
    assert np.abs(said).max() > 1
    assert np.abs(heard).max() <= 1
    assert heard.size == said.size


@pytest.mark.parametrize("said", [silence(1.0, RATE), np.zeros(0, np.float32), noise(1.0, level=1e-5)])
def test_silence_is_not_lifted(said):
    assert np.array_equal(levelled(said, -16), said)


def test_the_cutting_does_not_matter():
    said = voice(1.0)
    assert np.array_equal(levelled(said, -14, size=77), levelled(said, -14, size=24_000))


def test_a_long_programme_waits_on_disk_not_in_memory():
    from tempfile import SpooledTemporaryFile

    seconds = programme.IN_MEMORY_BYTES // (4 * RATE) + 2
    with Programme(RATE, -16) as whole:
        for _ in range(seconds):
            whole.feed(voice(1.0, level=0.2))
        assert isinstance(whole._spool, SpooledTemporaryFile)
        assert whole._spool._rolled  # type: ignore[attr-defined]
        chunks = list(whole.finish())
    assert max(chunk.size for chunk in chunks) <= programme.CHUNK_SAMPLES
    assert sum(chunk.size for chunk in chunks) == seconds * RATE


def test_finding_the_gain_stops_when_nobody_waits_any_more():
    class Gone(Exception):
        pass

    def leave() -> None:
        raise Gone

    with Programme(RATE, -10) as whole:
        whole.feed(voice(2.0))
        with pytest.raises(Gone):
            whole.finish(leave)


def test_it_can_be_closed_half_way_and_twice():
    whole = Programme(RATE, -16)
    whole.feed(voice(0.1))
    whole.close()
    whole.close()
