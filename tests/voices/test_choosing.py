import numpy as np
import pytest

from basics.errors import Failure
from basics.events import Word
from listening.activity import Levels, Span
from tests.voices.speaking import RATE, beside, noise, speech
from voices.choosing import choose

LONG = 4


def spoken() -> tuple[np.ndarray, tuple[Span, ...]]:
    whole = speech(LONG)
    return whole, Levels().spans(whole, RATE)


def test_a_short_reference_is_taken_whole() -> None:
    whole = speech(2)
    chosen = choose(whole, RATE, Levels().spans(whole, RATE))
    assert np.array_equal(chosen.samples, whole)


@pytest.mark.parametrize(("shortest", "longest"), [(3.0, 6.0), (5.0, 10.0), (6.0, 15.0)])
def test_the_stretch_keeps_to_the_engines_limits_and_is_cut_in_pauses(shortest: float, longest: float) -> None:
    whole, spans = spoken()
    chosen = choose(whole, RATE, spans, shortest, longest)
    assert shortest <= chosen.end - chosen.start <= longest
    assert len(chosen.samples) / RATE == pytest.approx(chosen.end - chosen.start, abs=0.001)
    assert not any(span.start + 0.02 < edge < span.end - 0.02 for span in spans for edge in (chosen.start, chosen.end))


def test_the_clean_half_is_chosen_over_the_noisy_one() -> None:
    clean = speech(2)
    noisy = beside(clean, noise(len(clean)), 5)
    for parts, wanted in (((clean, noisy), "first"), ((noisy, clean), "second")):
        whole = np.concatenate(parts)
        chosen = choose(whole, RATE, Levels().spans(clean, RATE) + later(clean), 4, 8)
        half = len(clean) / RATE
        assert ("first" if chosen.end <= half + 0.3 else "second" if chosen.start >= half - 0.3 else "both") == wanted


def later(part: np.ndarray) -> tuple[Span, ...]:
    by = len(part) / RATE
    return tuple(Span(span.start + by, span.end + by) for span in Levels().spans(part, RATE))


def test_the_transcript_is_that_of_the_stretch_and_no_word_is_cut() -> None:
    whole, spans = spoken()
    words = [Word(f"word{at}", span.start, span.end) for at, span in enumerate(spans)]
    chosen = choose(whole, RATE, spans, 3, 7, words)
    within = [word.text for word in words if chosen.start <= word.start and word.end <= chosen.end]
    assert chosen.transcript == " ".join(within)
    assert 0 < len(within) < len(words)


def test_speech_without_any_pause_is_cut_where_it_is_quietest() -> None:
    whole = speech(LONG)
    chosen = choose(whole, RATE, (Span(0.0, len(whole) / RATE),), 5, 10)
    assert 5 <= chosen.end - chosen.start <= 10


def test_a_reference_that_is_too_short_for_the_engine_says_how_long_it_must_be() -> None:
    whole, spans = spoken()
    with pytest.raises(Failure, match="at least 30 s") as caught:
        choose(whole, RATE, spans, 30, 60)
    assert caught.value.code == "reference_too_short"


def test_the_same_reference_gives_the_same_stretch() -> None:
    whole, spans = spoken()
    first, second = (choose(whole, RATE, spans, 3, 7) for _ in range(2))
    assert (first.start, first.end) == (second.start, second.end)
