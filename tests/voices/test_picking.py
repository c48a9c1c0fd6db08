"""What is taken of a heap of recordings, and why the rest is not."""

import threading
from pathlib import Path

import numpy as np
import pytest

from basics.errors import Failure
from listening.activity import Levels
from tests.voices.heap import SPOILT, recordings
from tests.voices.speaking import RATE, beside, encoded, noise, speech
from voices.picking import LONGEST, SECONDS, Study, pick, study, together, verdicts


def heard(name: str, data: bytes) -> Study:
    return study(name, data, Levels(), threading.Event())


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    folder = recordings(tmp_path_factory.mktemp("heap"))
    return [heard(name, (folder / name).read_bytes()) for name in [*SPOILT, "good.flac"]]


@pytest.mark.parametrize(("name", "why"), SPOILT.items())
def test_a_spoilt_recording_is_left_out_and_says_why(heap: list[Study], name: str, why: str) -> None:
    told = {verdict.name: verdict for verdict in verdicts(heap, pick(heap))}
    assert not told[name].used
    assert told[name].why.startswith(why)


def test_the_good_one_is_cut_at_its_pauses_and_used(heap: list[Study]) -> None:
    taken = pick(heap)
    assert {stretch.recording for stretch in taken} == {"good.flac"}
    assert all(stretch.seconds <= LONGEST + 0.5 for stretch in taken)
    for stretch in taken:
        edge = round(0.05 * stretch.rate)
        assert max(np.abs(stretch.samples[:edge]).max(), np.abs(stretch.samples[-edge:]).max()) < 0.05
    assert verdicts(heap, taken)[-1].why == ", ".join(f"{one.start:.1f} to {one.end:.1f} s" for one in taken)


@pytest.mark.parametrize("seconds", [6.0, SECONDS])
def test_what_is_taken_together_is_as_long_as_it_may_be_and_no_longer(heap: list[Study], seconds: float) -> None:
    samples, rate = together(pick(heap, seconds))
    assert seconds / 2 < len(samples) / rate <= seconds


def test_of_a_recording_that_turns_bad_the_good_part_is_used() -> None:
    good, other = speech(1), speech(2)
    spoilt = beside(other, noise(len(other)), 5)
    sound = np.concatenate([good, np.zeros(2 * RATE, np.float32), spoilt])
    [verdict] = verdicts([found := heard("long", encoded(sound))], taken := pick([found]))
    assert verdict.used
    assert taken
    assert max(stretch.end for stretch in taken) < len(good) / RATE + 1.5


def test_speech_without_a_pause_is_cut_all_the_same() -> None:
    one = speech(1)
    voiced = one[np.convolve(np.abs(one) > 0.01, np.ones(1200), "same") > 0]
    found = heard("breathless", encoded(np.concatenate([voiced] * 4)))
    assert found.stretches
    assert all(stretch.seconds <= LONGEST + 0.5 for stretch in found.stretches)


def test_what_is_good_but_not_needed_says_so() -> None:
    data = encoded(speech(2))
    found = [heard(f"{number}.wav", data) for number in range(4)]
    told = [verdict.why for verdict in verdicts(found, pick(found)) if not verdict.used]
    assert told
    assert set(told) == {"good, but there was enough that is cleaner"}


def test_a_cancelled_study_is_no_finding() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure) as told:
        study("one", encoded(speech(1)), Levels(), cancel)
    assert told.value.code == "cancelled"


def test_a_folder_without_recordings_says_which_kinds_are_known(tmp_path: Path) -> None:
    from voices.cloning import recordings as found

    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(Failure, match="no recordings") as told:
        found(tmp_path)
    assert "flac" in str(told.value.hint)
