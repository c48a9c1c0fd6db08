import numpy as np
import pytest

from basics.errors import Failure
from tests.voices.recordings import RATE, note
from voices.flac import packed, unpacked


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.0])
def test_a_recording_comes_back_sample_by_sample(seconds):
    samples, rate = unpacked(packed(note(440, seconds), RATE))
    assert rate == RATE
    assert np.array_equal(samples, note(440, seconds))


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVE", packed(note(440), RATE)[:60]])
def test_what_is_no_whole_flac_is_an_unusable_voice(data):
    with pytest.raises(Failure) as caught:
        unpacked(data)
    assert caught.value.code == "voice_unusable"
