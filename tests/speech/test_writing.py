from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalogue import Catalogue, card
from models.engines.tone import Tone
from speech.script import Part
from speech.writing import Writing

CARD = Tone.card


def writing() -> Writing:
    return Writing(CARD, Part(""))


def said(writing: Writing, *pieces: str) -> list[str]:
    return [segment.text for piece in pieces for segment in writing.write(piece)]


def test_a_sentence_is_complete_once_something_follows_it() -> None:
    text = writing()
    assert said(text, "Good", " evening", ".") == []
    assert said(text, " How") == ["Good evening."]
    assert said(text, " are you? I") == ["How are you?"]
    assert [segment.text for segment in text.flush()] == ["I"]


def test_a_space_behind_the_mark_is_enough_unless_it_is_an_abbreviation() -> None:
    assert said(writing(), "Good evening. ") == ["Good evening."]
    assert said(writing(), "This is Dr. ") == []


def test_the_first_words_go_at_a_clause_and_later_ones_do_not() -> None:
    text = writing()
    assert said(text, "When the sun had finally set, the") == ["When the sun had finally set,"]
    assert said(text, " lamps were lit, and the") == []


def test_a_number_that_goes_on_is_not_cut() -> None:
    assert said(writing(), "It costs 3.", "14 euros", ". Good") == ["It costs 3.14 euros."]


def test_a_blank_line_ends_a_paragraph() -> None:
    assert said(writing(), "A title\n", "\nThe text") == ["A title"]


def test_a_long_sentence_without_an_end_goes_at_clauses_then_at_words() -> None:
    clauses = said(writing(), *["so it went on and on, "] * 60)
    assert len(clauses) > 2
    assert all(part.endswith(",") for part in clauses)
    assert len(said(writing(), *["word "] * 400)) > 2


def test_silence_between_segments_follows_their_marks_and_what_is_asked() -> None:
    text = writing()
    pauses = [s.pause for s in text.write("One is here. Two is there? Three")]
    pauses += [s.pause for s in text.write(" is gone.[pause:2] ") + text.write("Four. ") + text.flush()]
    assert pauses[0] == 0
    assert pauses[1] > 0
    assert 2.0 in pauses


def test_marks_alone_wait_for_words() -> None:
    text = writing()
    assert said(text, " ... ", "!") == []
    assert text.flush() == []
    assert said(text, "Well then. ") == ["... ! Well then."] or said(writing(), "Well then. ") == ["Well then."]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["Hi", " there", ".", " ", ",", "\n", "no", " 3", ".5", "? ", "。", "你好", "[", "]"])))
def test_however_it_is_cut_every_letter_is_said_once_in_order(pieces: list[str]) -> None:
    text = writing()
    heard = said(text, *pieces) + [segment.text for segment in text.flush()]
    letters = [c for c in "".join(heard) if c.isalnum()]
    assert letters == [c for c in "".join(pieces) if c.isalnum()]


def test_cards_of_all_models_can_be_written_for() -> None:
    from basics.settings import Settings

    for entry in Catalogue(Settings.read({})).listed():
        assert Writing(card(entry), Part("")).write("One sentence of words. Another") != []
