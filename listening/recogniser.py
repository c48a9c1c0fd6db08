"""What was said, and when: an interface, and finding whoever answers to it in this environment.

An optional extra: `installed` gives a recogniser or a Failure that names what to install. It blocks, so callers
hear in a thread. Knows neither voices nor what the words are for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Word
from basics.settings import Settings


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    language: str
    """As it was given, else as it sounds; a code such as `en`."""
    words: tuple[Word, ...]
    """In order, in seconds from the start."""


class Flag(Protocol):
    """Says from any thread that nobody wants the words any more; `threading.Event` is one."""

    def is_set(self) -> bool: ...


class Recogniser(Protocol):
    def hear(self, samples: Samples, rate: int, language: str = "", cancel: Flag | None = None) -> Heard:
        """Raises `reference_too_large` for what is too long to be heard at once, `cancelled`."""
        ...


FOLDERS = tuple(f"whisper-{size}" for size in ("large-v3-turbo", "large-v3", "medium", "small", "base", "tiny"))
"""Where Whisper's files are looked for, below each root; the first that is whole is taken."""
FILES = ("model.bin", "config.json", "tokenizer.json")
"""Without `tokenizer.json` the library would fetch one; nothing is fetched here."""


def installed(settings: Settings) -> Recogniser:
    """One for all threads of the process. Its network is loaded when it is first needed."""
    place = weights(tuple(dict.fromkeys((settings.weights, settings.model_cache))))
    missing = [
        what
        for what, there in (
            ("the package faster-whisper (`builder/locks/listening.txt`)", find_spec("faster_whisper") is not None),
            ("a Whisper model for it, in WEIGHTS_DIR/whisper-base", place is not None),
        )
        if not there
    ]
    if place is None or missing:
        raise Failure(
            "not_installed",
            f"No recogniser is installed: what is missing is {' and '.join(missing)}.",
            hint="docs/voices.md says how to add it.",
        )
    return _whisper(place)


def weights(roots: Sequence[Path]) -> Path | None:
    places = (root / name for root in roots for name in FOLDERS)
    return next((place for place in places if all((place / file).is_file() for file in FILES)), None)


@cache
def _whisper(place: Path) -> Recogniser:
    from listening.whisper import Whisper

    return Whisper(place)
