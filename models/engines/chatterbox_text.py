"""How Chatterbox's three models read: punctuation as they were taught it, then the ids of their own vocabularies.

Upstream's own reader of 23 languages fetches a dictionary and a segmenter from the internet as it is made; this one
reads what lies beside the weights. Hebrew without points and Russian without stress marks are read as they stand.
"""

import json
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from basics.errors import Failure
from models.engines.gpt2_words import words

START, STOP = 255, 0
"""Around a text, but not around Turbo's."""
_PLAIN = (("…", ", "), (":", ","), ("—", "-"), ("–", "-"), (" ,", ","), ("“", '"'), ("”", '"'), ("‘", "'"), ("’", "'"))
_PLAINER = (("...", ", "), ("…", ", "), (":", ","), (" - ", ", "), (";", ", "), *_PLAIN[2:])
_ENDS = (".", "!", "?", "-", ",")
_ENDS_ANYWHERE = (*_ENDS, "、", "，", "。", "？", "！")


class Reader(Protocol):
    def ids(self, text: str, language: str) -> list[int]: ...


def tidied(text: str, changes: Sequence[tuple[str, str]] = _PLAINER, ends: tuple[str, ...] = _ENDS) -> str:
    """A capital first, single spaces, the punctuation that the models know, and an end."""
    if not any(char.isalnum() for char in text):
        raise Failure("invalid_input", "There is nothing to say: the text has no letter or digit.", field="text")
    text = text[0].upper() + text[1:] if text[0].islower() else text
    text = " ".join(text.split())
    for found, instead in changes:
        text = text.replace(found, instead)
    text = text.rstrip(" ")
    return text if text.endswith(ends) else text + "."


class English:
    def __init__(self, vocabulary: Path) -> None:
        self._encode = _encoder(vocabulary)

    def ids(self, text: str, language: str) -> list[int]:
        return [START, *self._encode(tidied(text)), STOP]


class Multilingual:
    """A letter's id is the same in every language; a sign in front says which it is."""

    def __init__(self, vocabulary: Path, cangjie: Path) -> None:
        self._encode, self._cangjie = _encoder(vocabulary), cangjie

    def ids(self, text: str, language: str) -> list[int]:
        code = language.partition("-")[0].lower()
        text = unicodedata.normalize("NFKD", tidied(text, ends=_ENDS_ANYWHERE).lower())
        if code == "zh":
            text = self._chinese(text)
        elif code == "ja":
            text = _japanese(self._kana, text)
        elif code == "ko":
            text = text.strip()
        return [START, *self._encode(f"[{code}]{text}"), STOP]

    def _chinese(self, text: str) -> str:
        """Each character by the keys it is typed with. Words stand apart, as they did in what the model learnt from."""
        import rjieba  # type: ignore[import-not-found,unused-ignore]

        return "".join(self._keys.get(char, char) for char in " ".join(rjieba.cut(text)))

    @cached_property
    def _keys(self) -> dict[str, str]:
        try:
            entries = [entry.split("\t")[:2] for entry in json.loads(self._cangjie.read_text(encoding="utf-8"))]
        except OSError as error:
            message = "The dictionary that Chatterbox reads Chinese with, Cangjie5_TC.json, is not on this worker."
            raise Failure("weights_missing", message, field="language") from error
        sharing: dict[str, list[str]] = {}
        for glyph, code in entries:
            sharing.setdefault(code, []).append(glyph)
        codes = {glyph: code + str(sharing[code].index(glyph) or "") for glyph, code in entries}
        letters = {glyph: code for glyph, code in codes.items() if unicodedata.category(glyph) == "Lo"}
        return {glyph: "".join(f"[cj_{key}]" for key in f"{code}.") for glyph, code in letters.items()}

    @cached_property
    def _kana(self) -> Any:
        import pykakasi  # type: ignore[import-not-found,unused-ignore]

        return pykakasi.kakasi()


class Turbo:
    """GPT-2's words, and a sign for each sound that a tag asks for."""

    def __init__(self, folder: Path) -> None:
        self._encode = words(folder)

    def ids(self, text: str, language: str) -> list[int]:
        return self._encode(tidied(text, _PLAIN))


def _encoder(vocabulary: Path) -> Any:
    from tokenizers import Tokenizer  # type: ignore[import-not-found,unused-ignore]

    json.loads(vocabulary.read_bytes())  # of a broken one tokenizers throws a bare Exception
    tokenizer = Tokenizer.from_file(str(vocabulary))
    return lambda text: tokenizer.encode(text.replace(" ", "[SPACE]")).ids


def _japanese(kana: Any, text: str) -> str:
    """Kanji as they are pronounced; the particles among them stand apart."""
    read: list[str] = []
    for word in kana.convert(text):
        kanji = any("\u4e00" <= char <= "\u9fff" for char in word["orig"])
        said = word["hira"] if kanji else word["orig"]
        read.append(" " + said if kanji and said[:1] in ("は", "へ") else said)
    return unicodedata.normalize("NFKD", "".join(read))
