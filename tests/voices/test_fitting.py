import numpy as np
import pytest

from basics.errors import Failure
from basics.events import Word
from listening.activity import Levels
from tests.voices.speaking import RATE, speech
from voices.fitting import fitted
from voices.voice import Voice


def spoken(sentences: int = 4) -> Voice:
    whole = speech(sentences)
    spans = Levels().spans(whole, RATE)
    words = tuple(Word(f"word{at}", span.start, span.end) for at, span in enumerate(spans))
    said = " ".join(word.text for word in words)
    return Voice("alice", "library", "sha", transcript=said, samples=whole, rate=RATE, spans=spans, words=words)


def test_what_is_short_enough_is_heard_whole() -> None:
    voice = spoken()
    assert fitted(voice, 2.0, 60.0) is voice


@pytest.mark.parametrize(("least", "most"), [(2.0, 6.0), (5.0, 10.0), (6.0, 12.0)])
def test_an_engine_hears_what_its_limits_allow_with_the_words_of_that_part(least: float, most: float) -> None:
    voice = spoken()
    part = fitted(voice, least, most)
    assert least <= part.seconds <= most
    said = part.transcript.split()
    assert 0 < len(said) < len(voice.words)
    assert part.transcript in voice.transcript


def test_every_worker_cuts_the_same() -> None:
    one, other = (fitted(spoken(), 2.0, 6.0) for _ in range(2))
    assert one.samples is not None
    assert other.samples is not None
    assert np.array_equal(one.samples, other.samples)


def test_each_part_of_a_blend_is_cut_for_itself() -> None:
    blend = Voice("both", "blend", "sha", parts=((spoken(), 0.5), (Voice("anna", "preset", "anna"), 0.5)))
    (first, _), (second, _) = fitted(blend, 2.0, 6.0).parts
    assert first.seconds <= 6.0
    assert second.id == "anna"


def test_limits_that_nothing_can_meet_are_told() -> None:
    with pytest.raises(Failure) as caught:
        fitted(spoken(), 90.0, 3.0)
    assert caught.value.code == "reference_too_short"
