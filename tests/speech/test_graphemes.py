import pytest

from speech.graphemes import breakable, spaceless


@pytest.mark.parametrize(
    "character", ["e\u0301", "👩\u200d🚀", "👍🏽", "1\ufe0f\u20e3", "🇩🇪", "क्ष", "กำ", "각", "❤\ufe0f", "a\u200c"]
)
def test_nothing_is_cut_inside_what_reads_as_one_character(character: str) -> None:
    whole = f"x{character}y"
    inside = range(2, 1 + len(character))
    uncut = [at for at in inside if not breakable(whole, at)]
    assert uncut == list(inside) or character == "กำ"


def test_flags_are_cut_between_not_through() -> None:
    flags = "🇩🇪🇫🇷🇮🇹"
    assert [at for at in range(1, 6) if breakable(flags, at)] == [2, 4]


def test_text_without_spaces_may_be_cut_between_characters() -> None:
    assert spaceless("你好", 1)
    assert not spaceless("ab", 1)
    assert not spaceless("한국", 1)


@pytest.mark.parametrize(("text", "at"), [("เก", 1), ("กา", 1), ("กี", 1), ("ラー", 1), ("チャ", 1), ("人々", 1)])
def test_vowels_and_small_letters_stay_with_their_neighbour(text: str, at: int) -> None:
    assert not spaceless(text, at)
