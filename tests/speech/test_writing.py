from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from models.catalogue import Catalogue, card
from models.engines.tone import Tone
from speech.ramp import Ramp
from speech.script import Part
from speech.writing import LONG_SECONDS, Stroke, Writing

CARD = replace(Tone.card, live=False)


def writing() -> Writing:
    return Writing(CARD, Part(""))


def live() -> Writing:
    return Writing(Tone.card, Part(""), known_tags=("[laugh]", "(coughs)"))


def said(writing: Writing, *pieces: str) -> list[str]:
    return [stroke.segment.text for piece in pieces for stroke in writing.write(piece)]


def lines(*strokes: Stroke) -> list[str]:
    """As a voice hears them."""
    found: list[str] = []
    for stroke in strokes:
        if stroke.opens:
            found.append("")
        found[-1] += stroke.segment.text
    return found


def test_a_sentence_is_complete_once_something_follows_it() -> None:
    text = writing()
    assert said(text, "Good", " evening", ".") == []
    assert said(text, " How") == ["Good evening."]
    assert said(text, " are you? I") == ["How are you?"]
    assert [stroke.segment.text for stroke in text.flush()] == ["I"]


def test_a_space_behind_the_mark_is_enough_unless_it_is_an_abbreviation() -> None:
    assert said(writing(), "Good evening. ") == ["Good evening."]
    assert said(writing(), "This is Dr. ") == []


def test_the_first_words_go_at_a_clause_and_later_ones_do_not() -> None:
    text = writing()
    assert said(text, "When the sun had finally set, the") == ["When the sun had finally set,"]
    assert said(text, " lamps were lit, and the") == []


def test_lines_of_a_slow_voice_grow_with_the_sound_in_hand_from_one_piece_to_the_next() -> None:
    slow = Writing(replace(CARD, whole=True), Part(""), ramp=Ramp(1.5))
    sentence = "The old woman went down to the quay to look at the boats that came in from the islands. "
    assert said(slow, "Then the fog had gone, and the town looked like itself. ", *[sentence] * 5) == [
        "Then the fog had gone,",
        "and the town looked like itself.",
        "The old woman went down to the quay to look",
        "at the boats that came in from the islands.",
        *[sentence.strip()] * 4,
    ]


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
    pauses = [s.segment.pause for s in text.write("One is here. Two is there? Three")]
    pauses += [s.segment.pause for s in text.write(" is gone.[pause:2] ") + text.write("Four. ") + text.flush()]
    assert pauses[0] == 0
    assert pauses[1] > 0
    assert 2.0 in pauses


def test_marks_alone_wait_for_words() -> None:
    text = writing()
    assert said(text, " ... ", "!") == []
    assert text.flush() == []
    assert said(text, "Well then. ") == ["... ! Well then."] or said(writing(), "Well then. ") == ["Well then."]


def test_a_voice_that_takes_text_as_it_speaks_gets_each_word_once_it_is_whole() -> None:
    text = live()
    assert lines(*text.write("Good eve")) == ["Good"]
    assert text.write("ning") == []
    more = text.write(", and ")
    assert [(stroke.segment.text, stroke.opens, stroke.closes) for stroke in more] == [(" evening, and", False, False)]
    assert [stroke.closes for stroke in text.flush()] == [True]
    assert text.flush() == []


def test_text_without_spaces_goes_where_it_may_be_parted() -> None:
    text = live()
    assert lines(*text.write("你好"), *text.write("世界"), *text.flush()) == ["你好世界"]


def test_markup_waits_until_it_is_whole() -> None:
    text = live()
    strokes = [stroke for token in ("One", " [pau", "se:", "0.", "5", "]", " two (cou", "ghs) three.") for stroke in
               text.write(token)]  # fmt: skip
    assert lines(*strokes, *text.flush()) == ["One", "two three."]
    assert [stroke.segment.pause for stroke in strokes if stroke.opens] == [0.0, 0.5]
    assert list(text.warnings) == ["`(coughs)` is a tag that this model does not read; it was left out."]


def test_an_open_bracket_that_becomes_nothing_is_text_in_the_end() -> None:
    text = live()
    assert lines(*text.write("He wrote [sic and went on"), *text.flush()) == ["He wrote [sic and went on"]
    assert "".join(said(live(), "He wrote [sic ", *["and went on "] * 20)).startswith("He wrote [sic and")


def test_a_paragraph_begins_a_line_of_its_own_after_its_silence() -> None:
    text = live()
    opened = [s.segment for s in [*text.write("A title\n"), *text.write("\nThe text. ")] if s.opens]
    assert [(segment.text, segment.pause) for segment in opened] == [("A title", 0.0), ("The text.", 0.7)]


def test_a_line_that_grew_long_ends_with_its_sentence() -> None:
    text = live()
    strokes = [s for _ in range(60) for s in text.write("A sentence of six words this is. And ")]
    spoken = lines(*strokes)
    assert len(spoken) > 1
    assert all(line.endswith("is.") for line in spoken[:-1])
    assert all(LONG_SECONDS - 5 <= CARD.seconds(line) < LONG_SECONDS + 10 for line in spoken[:-1])


def test_halves_of_a_character_that_come_apart_are_put_together() -> None:
    assert lines(*live().write("Hi \ud83d"), *live().flush()) == ["Hi"]
    text = live()
    assert lines(*text.write("Hi \ud83d"), *text.write("\ude00 there "), *text.flush()) == ["Hi \U0001f600 there"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([writing, live]),
    st.lists(st.sampled_from(["Hi", " there", ".", " ", ",", "\n", "no", " 3", ".5", "? ", "。", "你好", "[", "]"])),
)
def test_however_it_is_cut_every_letter_is_said_once_in_order(manner: Callable[[], Writing], pieces: list[str]) -> None:
    text = manner()
    heard = said(text, *pieces) + [stroke.segment.text for stroke in text.flush()]
    letters = [c for c in "".join(heard) if c.isalnum()]
    assert letters == [c for c in "".join(pieces) if c.isalnum()]


def test_cards_of_all_models_can_be_written_for() -> None:
    from basics.settings import Settings

    for entry in Catalogue(Settings.read({})).listed():
        assert Writing(card(entry), Part("")).write("One sentence of words. Another") != []
