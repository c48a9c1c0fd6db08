"""How Kokoro's alphabet spells a text: English by hibari's reader, which writes that very alphabet, others by espeak.

espeak keeps its state in the process and is not safe in threads, so it runs under one lock. It knows no networks.
"""

import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from basics.errors import Failure

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend  # type: ignore[import-untyped]

ESPEAK = {"es": "es", "fr": "fr-fr", "hi": "hi", "it": "it", "pt": "pt-br", "pt-br": "pt-br"}
"""Languages that espeak reads well enough for Kokoro. Japanese and Chinese are not: it names their characters."""
ENGLISH = {"en": False, "en-us": False, "en-gb": True}
"""Whether it is read the British way."""
_TIED = {
    "a^ɪ": "I",
    "a^ʊ": "W",
    "e^ɪ": "A",
    "o^ʊ": "O",
    "ə^ʊ": "Q",
    "ɔ^ɪ": "Y",
    "d^ʒ": "ʤ",
    "t^ʃ": "ʧ",
    "d^z": "ʣ",
    "t^s": "ʦ",
}
"""Pairs that espeak ties together and the network knows as one letter."""
_lock = threading.Lock()


class Reader:
    """Reads texts in the languages it was asked for so far."""

    def __init__(self) -> None:
        self._english: dict[bool, Callable[[str], str]] = {}
        self._espeak: dict[str, EspeakBackend] = {}

    def phonemes(self, text: str, language: str) -> str:
        code = language.lower()
        if code in ENGLISH:
            return self._read_english(text, ENGLISH[code])
        if code in ESPEAK:
            return self._read_other(text, ESPEAK[code])
        raise Failure(
            "unsupported_language",
            f"kokoro on ONNX does not speak `{language}`; it speaks {', '.join((*ENGLISH, *ESPEAK))}.",
            field="language",
        )

    def _read_english(self, text: str, british: bool) -> str:
        from hibari import Hibari  # type: ignore[import-untyped]
        from hibari.g2p import G2P  # type: ignore[import-untyped]

        if british not in self._english:
            self._english[british] = G2P(british=british)
        return " ".join(self._english[british](sentence) for sentence in Hibari.split_sentences(text))

    def _read_other(self, text: str, code: str) -> str:
        from phonemizer.backend import EspeakBackend

        with _lock:
            if code not in self._espeak:
                self._espeak[code] = EspeakBackend(
                    code, preserve_punctuation=True, with_stress=True, tie="^", language_switch="remove-flags"
                )
            spelt = str(self._espeak[code].phonemize([" ".join(text.split())])[0])
        return joined(spelt)


def joined(spelt: str) -> str:
    """Tied pairs as the network's letters; what is left of ties and hyphens goes."""
    for pair, letter in _TIED.items():
        spelt = spelt.replace(pair, letter)
    return re.sub(r"[\^-]", "", spelt).strip()
