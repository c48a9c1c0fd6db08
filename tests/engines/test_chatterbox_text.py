"""Chatterbox's reading against upstream's own, where upstream's can be had without the internet."""

from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from models.engines.chatterbox_text import English, Multilingual, Turbo, tidied
from tests.engines import tiny_chatterbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

TEXTS = (
    "good evening",
    "Wait... what?  A: “yes” – or ‘no’—maybe;  so , then",
    "it’s 5 - 3 = 2 …",
    "   twice   spaced\tand\nbroken ",
    "Ends with a dash -",
    "élan vital: déjà vu, naïve",
)
SPOKEN = {
    "ja": "今日は東京へ行きます。カタカナもある！",
    "ko": "안녕하세요, 반갑습니다.",
    "ru": "Добрый вечер, друзья!",
    "he": "ערב טוב לכולם",
    "de": "Schöne Grüße aus Köln!",
    "hi": "नमस्ते दुनिया",
    "zh": "今天天气很好，我们去公园。",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatterbox.make(tmp_path_factory.mktemp("chatterbox"))


@pytest.mark.parametrize("text", TEXTS)
def test_punctuation_is_tidied_as_upstream_tidies_it(text: str, weights: Path) -> None:
    from chatterbox import mtl_tts, tts, tts_turbo  # type: ignore[import-not-found,unused-ignore]
    from transformers import AutoTokenizer  # type: ignore[import-not-found,unused-ignore]

    assert tidied(text) == tts.punc_norm(text)
    english = tts.EnTokenizer(str(weights / "english" / "tokenizer.json"))
    assert _english(weights).ids(text, "en") == [255, *english.encode(tts.punc_norm(text)), 0]
    turbo = AutoTokenizer.from_pretrained(weights / "turbo")
    assert Turbo(weights / "turbo").ids(text, "en") == turbo(tts_turbo.punc_norm(text)).input_ids
    assert _multilingual(weights).ids(text, "en-gb") == _theirs(weights, mtl_tts.punc_norm(text), "en")


@pytest.mark.parametrize("language", SPOKEN)
def test_every_script_is_read_as_upstream_reads_it(language: str, weights: Path) -> None:
    from chatterbox import mtl_tts

    text = SPOKEN[language]
    assert _multilingual(weights).ids(text, language) == _theirs(weights, mtl_tts.punc_norm(text), language)


def _english(weights: Path) -> English:
    return English(weights / "english" / "tokenizer.json")


def _multilingual(weights: Path) -> Multilingual:
    folder = weights / "multilingual"
    return Multilingual(folder / "grapheme_mtl_merged_expanded_v1.json", folder / "Cangjie5_TC.json")


def _theirs(weights: Path, text: str, language: str) -> list[int]:
    """Upstream's reader, given the dictionary and a segmenter instead of fetching them."""
    import rjieba  # type: ignore[import-not-found,unused-ignore]
    from chatterbox.models.tokenizers import tokenizer as theirs  # type: ignore[import-not-found,unused-ignore]

    def mapping(self: Any, model_dir: Any = None) -> None:
        for entry in tiny_chatterbox.CANGJIE:
            word, code = entry.split("\t")
            self.word2cj[word] = code
            self.cj2word.setdefault(code, []).append(word)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs.ChineseCangjieConverter, "_load_cangjie_mapping", mapping)
        patch.setattr(
            theirs.ChineseCangjieConverter, "_init_segmenter", lambda self: setattr(self, "segmenter", rjieba)
        )
        reader = theirs.MTLTokenizer(str(weights / "multilingual" / "grapheme_mtl_merged_expanded_v1.json"))
        return [255, *reader.encode(text, language_id=language), 0]


def test_turbos_tags_are_one_sign_each(weights: Path) -> None:
    turbo = Turbo(weights / "turbo")
    assert len(turbo.ids("Ha [laugh] ha.", "en")) == len("Ha  ha.") + 1


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "🙂"])
def test_a_text_without_a_letter_or_digit_is_refused(text: str, weights: Path) -> None:
    for reader in (_english(weights), _multilingual(weights), Turbo(weights / "turbo")):
        with pytest.raises(Failure, match="no letter or digit"):
            reader.ids(text, "en")


def test_chinese_without_its_dictionary_says_what_is_missing_and_the_rest_goes_on(
    weights: Path, tmp_path: Path
) -> None:
    reader = Multilingual(weights / "multilingual" / "grapheme_mtl_merged_expanded_v1.json", tmp_path / "none.json")
    with pytest.raises(Failure, match=r"Cangjie5_TC\.json") as error:
        reader.ids("今天", "zh")
    assert error.value.code == "weights_missing"
    assert reader.ids("Bonjour.", "fr")
