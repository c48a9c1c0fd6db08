"""Lines of a stream on a slow device, planned and then played: whoever listens alone hears no gap."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.card import Card
from models.warming import PACES
from speech.lines import FIRST_LINE_WORDS, PHRASE_WORDS, words
from speech.plan import Segment, plan
from speech.ramp import Ramp
from speech.script import Part, Passage, script

CARD = Card("some", "Some", ("en",), 24_000, "MIT", whole=True, comfortable=300, pace=15.0, speed=(0.5, 2.0))
SHORT = "The harbour was quiet when the first boats came in. By noon the fog had gone, and the town looked like itself."
LONG = (
    "The old woman who had lived in the white house by the harbour since the end of the war went down to the quay "
    "every morning to look at the boats that came in from the islands with their silver fish. Nobody had ever asked "
    "her what she was waiting for, and nobody in the little town would have dared to, because her temper was as well "
    "known as the lighthouse. One day in the early spring a young man with a brown leather suitcase walked past her "
    "without a word and took the small ferry to the north."
)
BREATHLESS = "It was a very long way to go on foot that cold wet dark morning in late autumn " * 8
SUDDEN = f"By noon the fog had gone, {LONG[0].lower()}{LONG[1:]}"
"""A short clause, and a long sentence after it."""
TEXTS = (SHORT, SUDDEN, LONG, f"{SHORT} {LONG}\n\n{LONG}", BREATHLESS, f"By noon the fog had gone, {BREATHLESS}")


def planned(text: str, pace: float | None, speed: float = 1.0) -> tuple[Segment, ...]:
    passages = script([Part(text, language="en", speed=speed)]).passages
    return plan(passages, CARD, stream=True, ramp=Ramp(pace) if pace else None)


def lines(text: str, pace: float | None) -> list[str]:
    return [segment.text for segment in planned(text, pace)]


def hands(segments: Sequence[Segment], pace: float) -> list[float]:
    """What is left of the sound in hand when each line but the first has been made, if texts play as long as the card
    says and each line is begun when the one before is done. Less than nothing is a gap."""
    found, hand = list[float](), 0.0
    for segment in segments:
        seconds = CARD.seconds(segment.text)
        if segment.index:
            hand -= seconds / CARD.natively(segment.speed) / pace
            found.append(hand)
        hand = max(0.0, hand) + segment.pause + seconds / segment.speed
    return found


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("text", TEXTS)
def test_whoever_listens_alone_to_a_slow_device_hears_no_gap(text: str, pace: float) -> None:
    assert min(hands(planned(text, pace), pace)) >= -1e-9


def test_without_the_ramp_there_would_be_gaps_of_seconds() -> None:
    assert min(hands(planned(SUDDEN, None), 1.75)) < -3.0


@given(
    st.lists(st.lists(st.sampled_from("a to the boat harbour when and morning,".split()), min_size=1, max_size=50)),
    st.sampled_from(PACES),
    st.sampled_from([0.5, 1.0, 3.0]),
)
@settings(deadline=None, max_examples=100)
def test_only_a_line_that_is_too_short_to_be_cut_may_come_late(
    sentences: list[list[str]], pace: float, speed: float
) -> None:
    text = " ".join(" ".join(sentence).capitalize().rstrip(",") + "." for sentence in sentences)
    if not text:
        return
    segments = planned(text, pace, speed)
    assert " ".join(segment.text for segment in segments) == text
    late = [segment.text for segment, hand in zip(segments[1:], hands(segments, pace), strict=True) if hand < -1e-6]
    assert all(words(line) < 2 * FIRST_LINE_WORDS for line in late)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("text", TEXTS)
def test_no_line_is_cut_to_fewer_words_than_are_spoken_well(text: str, pace: float) -> None:
    first, *rest = lines(text, pace)
    assert words(first) >= PHRASE_WORDS
    assert all(words(line) >= FIRST_LINE_WORDS for line in rest)


def test_the_first_line_of_a_stream_may_end_before_a_phrase() -> None:
    assert lines(SHORT, 1.5)[:2] == ["The harbour was quiet", "when the first boats came in."]


def test_a_first_line_does_not_end_before_a_phrase_that_cannot_be_made_while_it_is_heard() -> None:
    assert lines(SHORT, 1.25)[0] == "The harbour was quiet when the first boats came in."


def test_a_clause_that_ends_early_is_a_better_end_than_a_phrase() -> None:
    text = "By noon the fog had gone, and the town looked much as it did when we were young."
    assert lines(text, 1.5)[0] == "By noon the fog had gone,"


def test_a_listener_hears_nearly_no_silence_before_a_phrase() -> None:
    assert planned(SHORT, 1.5)[1].pause <= 0.05


def test_lines_end_with_a_sentence_else_a_clause_else_a_phrase_where_they_can() -> None:
    assert lines(SHORT, 3.0) == [
        "The harbour was quiet",
        "when the first boats came in.",
        "By noon the fog had gone, and the town looked like itself.",
    ]
    assert lines(LONG, 1.5)[-1].endswith("and took the small ferry to the north.")
    assert "Nobody had ever asked her what she was waiting for," in " ".join(lines(LONG, 1.25))


def test_lines_grow_with_the_sound_in_hand_where_nothing_else_says_how_long_they_are() -> None:
    lengths = [len(line) for line in lines(f"By noon the fog had gone, {BREATHLESS}", 2.0)]
    assert all(later >= 0.8 * earlier for earlier, later in pairwise(lengths[:-1]))
    assert max(lengths) > 2 * lengths[1]


def test_lines_of_a_device_that_is_fast_enough_are_as_ever() -> None:
    assert planned(SUDDEN, 1000.0) == planned(SUDDEN, None)


def test_the_same_text_is_always_planned_alike() -> None:
    assert planned(LONG, 1.5) == planned(LONG, 1.5)


def test_a_ramp_goes_on_where_the_text_before_ended() -> None:
    ramp = Ramp(1.5)
    plan([Passage(f"{SHORT} {SHORT} {SHORT}", language="en")], CARD, stream=True, ramp=ramp)
    later = plan([Passage(LONG, language="en")], CARD, stream=False, ramp=ramp)
    alone = plan([Passage(LONG, language="en")], CARD, stream=True, ramp=Ramp(1.5))
    assert len(later) < len(alone)
