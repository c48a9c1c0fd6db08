import threading

import numpy as np
import pytest

from basics.audio import Samples
from basics.errors import Failure
from tests.voices.speaking import RATE, encoded, sentence, silent
from voices.decoding import decode

NEVER = threading.Event()

FILES = [
    ("wav", "pcm_s16le"), ("wav", "pcm_s24le"), ("wav", "pcm_f32le"), ("wav", "pcm_alaw"), ("aiff", "pcm_s16be"),
    ("flac", "flac"), ("mp3", "libmp3lame"), ("adts", "aac"), ("ipod", "aac"), ("ogg", "libopus"), ("webm", "libopus"),
]  # fmt: skip


def alike(one: Samples, other: Samples) -> float:
    """The best correlation within a tenth of a second, codecs being late."""
    part = other[RATE // 2 : RATE * 3 // 2]
    starts = range(RATE * 4 // 10, RATE * 6 // 10, 4)
    return max(float(np.corrcoef(one[at : at + RATE], part)[0, 1]) for at in starts)


@pytest.mark.parametrize(("container", "codec"), FILES)
def test_any_container_gives_the_sound_that_went_in(container: str, codec: str) -> None:
    whole = sentence(0)
    sound = decode(encoded(whole, container=container, codec=codec), 60, NEVER, highest_rate=RATE)
    assert sound.rate == RATE
    assert sound.samples.dtype == np.float32
    assert sound.seconds == pytest.approx(len(whole) / RATE, abs=0.15)
    assert alike(sound.samples, whole) > 0.9
    assert sound.clipped == 0


def test_the_rate_is_its_own_up_to_the_highest() -> None:
    whole = sentence(0)
    assert decode(encoded(whole, 16_000), 60, NEVER).rate == 16_000
    assert decode(encoded(np.repeat(whole, 8), 192_000), 60, NEVER).rate == 48_000


def test_a_voice_on_one_channel_only_is_as_loud_as_it_was() -> None:
    whole = sentence(0)
    sound = decode(encoded(np.stack([np.zeros_like(whole), whole])), 60, NEVER)
    assert np.abs(sound.samples).max() == pytest.approx(np.abs(whole).max(), rel=0.01)


def test_opposite_phases_do_not_cancel_the_voice() -> None:
    whole = sentence(0)
    sound = decode(encoded(np.stack([whole, -whole])), 60, NEVER)
    assert abs(np.corrcoef(sound.samples[: len(whole)], whole)[0, 1]) > 0.999


def test_the_limit_is_met_to_the_second() -> None:
    assert decode(silent(50, "flac", "flac"), 60, NEVER).seconds == pytest.approx(50, abs=10)
    with pytest.raises(Failure, match="longer than 40 s") as caught:
        decode(silent(50, "flac", "flac"), 40, NEVER)
    assert caught.value.code == "reference_too_large"


def test_what_a_file_claims_of_its_length_is_not_believed_either_way() -> None:
    data = bytearray(silent(100, "flac", "flac"))
    data[22:26] = (RATE).to_bytes(4, "big")
    with pytest.raises(Failure) as caught:
        decode(bytes(data), 60, NEVER)
    assert caught.value.code == "reference_too_large"


def test_a_cut_file_is_used_as_far_as_it_goes_and_says_so() -> None:
    data = encoded(sentence(0))
    sound = decode(data[: len(data) // 2], 60, NEVER)
    assert sound.seconds == pytest.approx(len(sentence(0)) / RATE / 2, abs=0.1)
    assert any("cut off" in words for words in sound.warnings)


def test_a_stream_with_an_open_ended_header_is_whole() -> None:
    data = bytearray(encoded(sentence(0)))
    data[4:8] = b"\xff" * 4
    at = data.index(b"data")
    data[at + 4 : at + 8] = b"\xff" * 4
    assert decode(bytes(data), 60, NEVER).warnings == ()


def test_a_cancelled_job_stops_decoding() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure) as caught:
        decode(encoded(sentence(0)), 60, cancel)
    assert caught.value.code == "cancelled"


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(Failure) as caught:
        decode(b"no sound at all", 60, NEVER, "voice.reference[2]")
    assert (caught.value.code, caught.value.field) == ("reference_not_audio", "voice.reference[2]")


def test_clipping_is_found_after_it_was_turned_down_and_not_in_clean_speech() -> None:
    whole = sentence(0)
    loud = np.clip(whole * 6, -1, 1) * 0.5
    assert decode(encoded(loud), 60, NEVER).clipped == pytest.approx(np.mean(np.abs(whole * 6) >= 1), rel=0.2)
    assert decode(encoded(loud, codec="pcm_alaw"), 60, NEVER).clipped > 0.01
    assert decode(encoded(loud, container="mp3", codec="libmp3lame"), 60, NEVER).clipped > 0.01
    assert decode(encoded(whole * 2), 60, NEVER).clipped == 0
