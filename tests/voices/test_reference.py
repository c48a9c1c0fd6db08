import base64
import subprocess
import sys
import threading

import numpy as np
import pytest

from basics.errors import Failure
from basics.settings import Settings
from listening.activity import Levels, Span
from tests.voices.speaking import RATE, beside, encoded, noise, raised, sentence, speech
from voices.decoding import decode
from voices.reference import Limits, fingerprint, take_in
from voices.sources import Places


def given(samples: np.ndarray, rate: int = RATE, container: str = "wav", codec: str = "pcm_s16le") -> str:
    return base64.b64encode(encoded(samples, rate, container, codec)).decode()


def refused(what: object, limits: Limits | None = None) -> Failure:
    with pytest.raises(Failure) as caught:
        take_in(what, Places(), limits or Limits(), activity=Levels())
    return caught.value


def test_the_same_bytes_give_the_same_samples_and_hash() -> None:
    first, second = (take_in(given(speech()), Places(), activity=Levels()) for _ in range(2))
    assert first.sha256 == second.sha256
    assert np.array_equal(first.samples, second.samples)


def test_another_recording_has_another_hash() -> None:
    first, second = (take_in(given(sentence(at)), Places(), activity=Levels()) for at in (0, 1))
    assert first.sha256 != second.sha256


def test_sixteen_bit_flac_keeps_the_samples_and_their_hash() -> None:
    reference = take_in(given(speech()), Places(), activity=Levels())
    whole = (reference.samples * 32768).astype(np.int16)
    kept = encoded(whole.astype(np.float32) / 32767, reference.rate, "flac", "flac")
    back = decode(kept, 600, threading.Event())
    assert back.rate == reference.rate
    assert np.array_equal(back.samples, reference.samples)
    assert fingerprint(back.samples, back.rate) == reference.sha256


def test_several_recordings_become_one_voice_at_one_level() -> None:
    quiet = sentence(1) * np.float32(0.05)
    reference = take_in([given(sentence(0)), given(quiet)], Places(), activity=Levels())
    first, second = (
        reference.samples[round(part.start * RATE) : round(part.end * RATE)] for part in reference.recordings
    )
    assert 0.5 < np.std(first) / np.std(second) < 2
    assert reference.seconds == pytest.approx(len(reference.samples) / RATE)
    assert reference.quality.speech_seconds == pytest.approx(sum(span.seconds for span in reference.spans), abs=0.5)


def test_what_is_wrong_with_one_of_several_names_it() -> None:
    noisy = beside(speech(), noise(len(speech())), 8)
    reference = take_in([given(speech()), given(noisy)], Places(), activity=Levels())
    assert any(words.startswith("recording 2: noisy") for words in reference.quality.warnings)
    assert not any(words.startswith("recording 1: noisy") for words in reference.quality.warnings)


def test_two_people_in_two_recordings_are_noticed() -> None:
    reference = take_in([given(speech()), given(raised(speech(4), -8))], Places(), activity=Levels())
    assert any("several speakers" in words for words in reference.quality.warnings)


def test_short_recordings_are_enough_together() -> None:
    word = speech()[: round(2.0 * RATE)]
    limits = Limits(least_speech=2.5)
    assert refused(given(word), limits).code == "reference_too_short"
    assert take_in([given(word), given(word)], Places(), limits, activity=Levels()).seconds > 2.5


def test_too_little_speech_names_what_there_is_and_what_is_needed() -> None:
    found = refused(given(speech()[: RATE * 4 // 5]))
    assert found.code == "reference_too_short"
    assert "at least 2 s" in found.message


def test_the_seconds_count_for_all_recordings_together() -> None:
    found = refused([given(speech()), given(speech())], Limits(seconds=1.5 * len(speech()) / RATE))
    assert (found.code, found.field) == ("reference_too_large", "reference[1]")


def test_the_rate_is_the_one_that_was_asked_for() -> None:
    reference = take_in(given(speech()), Places(), Limits(rate=16_000), activity=Levels())
    assert reference.rate == 16_000


def test_a_cancelled_job_takes_nothing_in() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure) as caught:
        take_in(given(speech()), Places(), cancel=cancel)
    assert caught.value.code == "cancelled"


def test_a_cancel_while_it_listens_is_heard_before_the_next_step() -> None:
    cancel = threading.Event()

    class Interrupted:
        def spans(self, samples: np.ndarray, rate: int) -> tuple[Span, ...]:
            cancel.set()
            return Levels().spans(samples, rate)

    with pytest.raises(Failure) as caught:
        take_in(given(speech()), Places(), cancel=cancel, activity=Interrupted())
    assert caught.value.code == "cancelled"


def test_settings_set_how_long_it_may_be() -> None:
    assert Limits.of(Settings.read({"REFERENCE_SECONDS": "90"})).seconds == 90


def test_importing_the_room_loads_no_network_and_nothing_from_above() -> None:
    code = (
        "import sys, voices.reference, voices.choosing; loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(loaded & {'torch', 'onnxruntime', 'faster_whisper', 'scipy', 'boto3', 'models', 'speech', "
        "'operations'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
