import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.errors import Failure
from speech.characters import LONGEST_RUN, check, speakable, spoken

anything = st.text(st.characters(exclude_categories=[]), max_size=200)


@given(anything)
@settings(deadline=None)
def test_the_spoken_form_is_stable_and_has_single_spaces_only(text: str) -> None:
    said = spoken(text)
    assert spoken(said) == said
    assert "  " not in said
    assert said == said.strip()


@given(anything)
@settings(deadline=None)
def test_the_spoken_form_keeps_every_ascii_letter_and_digit(text: str) -> None:
    def kept(text: str) -> str:
        return "".join(char for char in text if char.isascii() and char.isalnum())

    plain = "".join(char for char in text if ord(char) < 0x250)
    assert kept(spoken(plain)) == kept(plain)


def test_letters_are_composed_and_invisible_characters_dropped() -> None:
    assert spoken("\ufeffcafe\u0301\u200b\u202eok\u2069") == "caféok"


def test_joiners_that_change_how_a_word_or_an_emoji_reads_stay() -> None:
    assert spoken("می\u200cخواهم 👩\u200d🚀") == "می\u200cخواهم 👩\u200d🚀"


def test_white_space_of_any_kind_is_one_space() -> None:
    assert spoken("\ta \r\n\xa0b\u2003c\u2029 ") == "a b c"


@pytest.mark.parametrize("mark", ["-", "😀", "\u0301", ". ", "\u0301\u0323"])
def test_a_ruler_is_shortened_whatever_it_is_made_of(mark: str) -> None:
    said = spoken("a" + mark * 50_000 + "b")
    assert len(said) <= LONGEST_RUN + 4
    assert said[0] in "aáạ"
    assert said[-1] == "b"


@pytest.mark.parametrize(
    ("text", "position"),
    [("ab\ud800c", 2), ("\udc00", 0), ("a\x00", 1), ("bell\x07", 4), ("\x1b[31m", 0), ("a\x7f", 1)],
)
def test_half_characters_and_control_characters_are_refused_with_their_position(text: str, position: int) -> None:
    with pytest.raises(Failure) as refused:
        check(text, "text")
    assert (refused.value.code, refused.value.field) == ("invalid_input", "text")
    assert refused.value.position == position


@pytest.mark.parametrize("text", ["", " \n\t", "?!... —", "😀👩\u200d🚀", "\u200b\ufeff", "。、", "***", "_"])
def test_text_without_a_letter_or_digit_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="at least one letter or digit"):
        check(text, "turns[3].text")


@pytest.mark.parametrize("text", ["a", "7", "你", "ก", "ا", "한", "½", "[laugh]", "a\tb\r\nc\x0c"])
def test_a_letter_or_digit_of_any_script_can_be_spoken(text: str) -> None:
    check(text, "text")
    assert speakable(text)
