"""How XTTS v2 reads: upstream's own cleaning of each language, then the ids of its vocabulary, the language in front.

Japanese is romanised by the environment's own library, where upstream takes one whose dictionary has no wheel: foreign
words are written as they sound and not as they are spelt. It knows no limits and no sound.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from basics.errors import Failure
from models.engines.shims import hollow

PACKAGES = ("TTS", *(f"TTS.tts{more}" for more in ("", ".layers", ".layers.xtts", ".utils", ".utils.text")))
"""Of upstream's: their own imports would bring its trainer."""
PARTICLES: Mapping[str, str] = {
    "は": "wa",
    "へ": "e",
    "を": "o",
    "には": "niwa",
    "では": "dewa",
    "とは": "towa",
    "こんにちは": "konnichiwa",
    "こんばんは": "konbanwa",
}
"""Words of kana that are not said as they are written."""
APART = frozenset("が の に と も で か や ね よ から まで より".split())
"""Other words of kana that stand by themselves. What else follows a character is its ending."""
COPULA = ("です", "でし", "だっ")
TOPICS = frozenset("これ それ あれ どれ ここ そこ あそこ わたし ぼく あなた".split())
HINDI = "शून्य एक दो तीन चार पाँच छह सात आठ नौ".split()
MARKS = str.maketrans({**dict(zip("。、・〜", "., -", strict=True)), **dict.fromkeys('「」『』"', "")})


class Reader:
    def __init__(self, tokenizer: Any) -> None:
        """`tokenizer` is upstream's VoiceBpeTokenizer."""
        self._tokenizer = tokenizer
        self._start, self._stop = (tokenizer.tokenizer.token_to_id(sign) for sign in ("[START]", "[STOP]"))

    @classmethod
    def load(cls, vocabulary: Path) -> Self:
        with hollow(*PACKAGES):
            from TTS.tts.layers.xtts.tokenizer import (  # type: ignore[import-not-found,unused-ignore]
                VoiceBpeTokenizer,
            )

        json.loads(vocabulary.read_bytes())["model"]["vocab"]  # of a broken one tokenizers throws a bare Exception
        reader = cls(VoiceBpeTokenizer(vocab_file=str(vocabulary)))
        if None in (reader._start, reader._stop):
            raise ValueError("a vocabulary without [START] and [STOP]")
        return reader

    def ids(self, text: str, language: str) -> list[int]:
        """Between the signs that begin and end a text."""
        if not any(char.isalnum() for char in text):
            raise Failure("invalid_input", "There is nothing to say: the text has no letter or digit.", field="text")
        code = language.partition("-")[0].lower()
        try:
            read = self._cleaned(text.strip().lower(), code)
        except (NotImplementedError, ArithmeticError, ValueError, LookupError) as error:
            message = "XTTS v2 cannot read a number of the text; write it in words."
            raise Failure("invalid_input", message, field="text") from error
        sign = "zh-cn" if code == "zh" else code
        ids = self._tokenizer.tokenizer.encode(f"[{sign}]{read}".replace(" ", "[SPACE]")).ids
        return [self._start, *ids, self._stop]

    def _cleaned(self, text: str, code: str) -> str:
        if code == "ja":
            return romaji(self._kana, text)
        try:
            return str(self._tokenizer.preprocess_text(text, code))
        except NotImplementedError:  # of ordinals, which in Czech are all numbers before a full stop
            return str(self._tokenizer.preprocess_text(_counted(text, code), code))

    @cached_property
    def _kana(self) -> Any:
        import pykakasi  # type: ignore[import-not-found,unused-ignore]

        return pykakasi.kakasi()


def _counted(text: str, code: str) -> str:
    """With numbers as they are counted, and digit by digit where nobody here can count."""
    from num2words import num2words  # type: ignore[import-not-found,unused-ignore]

    if code == "hi":
        return re.sub(r"\d", lambda digit: f" {HINDI[int(digit[0])]} ", text)
    return re.sub(r"\d+", lambda found: str(num2words(int(found[0]), lang=code)), text)


def romaji(kana: Any, text: str) -> str:
    """Japanese in Latin letters, words apart and marks where they belong."""
    words: list[str] = []
    follows = False
    for part in kana.convert(unicodedata.normalize("NFKC", text).translate(MARKS)):
        known = part["orig"].strip()
        hiragana = bool(known) and all("\u3040" <= char < "\u30a0" for char in known)
        alone = not hiragana or known in APART or known in PARTICLES or known.startswith(COPULA)
        if words and (not any(char.isalnum() for char in known) or (follows and not alone)):
            words[-1] += part["hira"].strip()
        else:
            words.append(str(part["hira"] if known[:1] >= "\u4e00" else known))
        follows = part["hira"] not in PARTICLES and (known[:1] >= "\u4e00" or (follows and not alone))
    return " ".join(filter(None, (_said(kana, word) for word in words))).lower()


def _said(kana: Any, word: str) -> str:
    known = word.rstrip(".,!? ")
    said = PARTICLES.get(known)
    if said is None and known[:-1] in TOPICS and known[-1:] == "は":
        said = _said(kana, known[:-1]) + " wa"
    if said is None:
        said = "".join(part["hepburn"] for part in kana.convert(known))
    return said + word[len(known) :].strip()
