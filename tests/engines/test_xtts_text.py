"""How XTTS v2 reads seventeen languages, numbers and what nobody can say. Upstream's cleaning, and ours around it."""

import pytest

from basics.errors import Failure
from models.engines.xtts_text import Reader, romaji
from tests.engines import tiny_xtts

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    path = tmp_path_factory.mktemp("reader") / "vocab.json"
    tiny_xtts.vocabulary(path, tiny_xtts.SIGNS)
    return Reader.load(path)


def spelt(reader: Reader, text: str, language: str) -> str:
    start, *ids, stop = reader.ids(text, language)
    tokens = [reader._tokenizer.tokenizer.id_to_token(id) for id in ids]
    assert [reader._tokenizer.tokenizer.id_to_token(id) for id in (start, stop)] == ["[START]", "[STOP]"]
    return "".join(tokens).replace("[SPACE]", " ")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "  Dr. Smith has 12 apples. ", "[en]doctor smith has twelve apples."),
        ("en-gb", "Yes.", "[en]yes."),
        ("de", "Größe 3", "[de]größe drei"),
        ("zh", "你好。", "[zh-cn]ni3hao3,"),
        ("ko", "안녕하세요", "[ko]annyeonghase-yo"),
        ("ja", "私は東京へ行く。", "[ja]watashi wa toukyou e iku."),
        ("cs", "Je mi 12.", "[cs]je mi dvanáct."),
    ],
)
def test_a_text_is_read_as_it_is_said(reader: Reader, language: str, text: str, expected: str) -> None:
    assert spelt(reader, text, language) == expected


def test_every_language_of_the_vocabulary_has_its_sign(reader: Reader) -> None:
    for language in tiny_xtts.LANGUAGES:
        assert spelt(reader, "Anna, 12. 3", language).startswith(f"[{language}]")


def test_japanese_words_stand_apart_and_marks_where_they_belong() -> None:
    import pykakasi  # type: ignore[import-not-found,unused-ignore]

    kana = pykakasi.kakasi()
    assert romaji(kana, "こんにちは、「世界」！カレーを食べる。") == "konnichiwa, sekai! karee o taberu."
    assert romaji(kana, "彼女が走っている。これはペンです。") == "kanojo ga hashitteiru. kore wa pen desu."


def test_hindi_numbers_are_spelt_digit_by_digit_since_nobody_here_counts_them(reader: Reader) -> None:
    assert reader._cleaned("अन्ना 12", "hi") == "अन्ना एक दो"


@pytest.mark.parametrize("text", ["", "  \n", "?! …"])
def test_nothing_to_say_is_refused(reader: Reader, text: str) -> None:
    with pytest.raises(Failure, match="no letter or digit") as error:
        reader.ids(text, "en")
    assert (error.value.code, error.value.field) == ("invalid_input", "text")


def test_a_number_that_nobody_can_say_is_refused_and_named(reader: Reader) -> None:
    with pytest.raises(Failure, match="number") as error:
        reader.ids("9" * 400, "en")
    assert (error.value.code, error.value.field) == ("invalid_input", "text")
