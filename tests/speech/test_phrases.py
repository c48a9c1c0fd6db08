from itertools import pairwise

import pytest

from models.engines.f5 import F5
from models.engines.hibari import Hibari
from models.engines.kokoro_onnx import KokoroOnnx
from speech.phrases import BEGINNERS, HOLDERS, phrase_starts


def phrases(text: str, language: str = "en") -> list[str]:
    starts = [0, *phrase_starts(text, language), len(text) + 1]
    return [text[start : end - 1] for start, end in pairwise(starts)]


@pytest.mark.parametrize(
    ("language", "text", "second"),
    [
        ("en-us", "The harbour was quiet when the first boats came in.", "when the first boats came in."),
        ("es", "No pudimos salir al mar porque llovía sin parar.", "porque llovía sin parar."),
        ("fr", "Nous sommes restés au port parce qu'il pleuvait.", "parce qu'il pleuvait."),
        ("fr", "Le port était calme lorsque les bateaux sont rentrés.", "lorsque les bateaux sont rentrés."),
        ("it", "Il porto era tranquillo quando le barche sono tornate.", "quando le barche sono tornate."),
        ("pt-br", "O porto estava calmo quando os barcos voltaram.", "quando os barcos voltaram."),
        ("de", "Der Hafen lag still und die Boote kamen heim.", "und die Boote kamen heim."),
    ],
)
def test_a_phrase_begins_with_the_words_of_its_language(language: str, text: str, second: str) -> None:
    assert phrases(text, language)[1:] == [second]


def test_what_two_such_words_begin_begins_with_the_first() -> None:
    assert phrases("She came home late and when she slept she dreamt.") == [
        "She came home late",
        "and when she slept she dreamt.",
    ]


def test_nothing_begins_behind_a_preposition_or_an_article() -> None:
    assert len(phrases("They argued about whether the house in where he lived was old.")) == 1


def test_a_word_that_only_begins_like_one_begins_nothing() -> None:
    assert len(phrases("The android ordered whenever butter iffy.")) == 1


@pytest.mark.parametrize("language", ["zh", "ja", "th", "xx", ""])
def test_other_languages_have_no_phrases(language: str) -> None:
    assert phrases("this and that when and where", language) == ["this and that when and where"]


def test_every_spaced_language_of_engines_that_deliver_lines_whole_is_in_the_table_or_known_to_lack() -> None:
    spoken = {code.partition("-")[0] for engine in (KokoroOnnx, Hibari, F5) for code in engine.card.languages}
    assert spoken - set(BEGINNERS) <= {"zh", "ja", "hi"}
    assert set(BEGINNERS) == set(HOLDERS)
