import pytest

from tests.engines.bare import misheard
from tests.engines.recogniser import SENTENCES, wer, words


def test_the_same_words_written_otherwise_are_no_errors() -> None:
    assert wer("Two hundred and forty people, on Dr. Watson's list.", "240 people on doctor Watson's list") == 0
    assert wer("It costs $25, about 70%.", "It costs 25 dollars about seventy percent") == 0
    assert wer("The 4th of July", "the fourth of July") == 0
    assert words("1,250 well-known") == ["1250", "well", "known"]


def test_errors_count_by_the_words_that_were_said() -> None:
    assert wer("one word is wrong", "one word was wrong") == 0.25
    assert wer("two are missing here", "two are") == 0.5
    assert wer("yes", "yes or no") == 2.0
    assert wer("anything", "") == 1.0


def test_forty_different_sentences_are_there_to_be_spoken() -> None:
    assert len(set(SENTENCES)) == 40


@pytest.mark.engine
@pytest.mark.slow
def test_a_recogniser_understands_hibari() -> None:
    """Alone, without the worker's road; one word in twenty may be misheard over all, since Whisper base errs too."""
    assert misheard() <= 0.05
