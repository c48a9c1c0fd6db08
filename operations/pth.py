"""Chatterbox's own file of a voice (`.pth`), for other software that reads it; this worker needs none.

Upstream's library makes and writes it, so it must be installed with its weights. It blocks, for minutes on a CPU.
"""

import secrets
import tempfile
from importlib.util import find_spec
from pathlib import Path

from basics.audio import Samples
from basics.errors import Failure
from basics.settings import Settings
from models.groups import Entry, table
from models.weights import find
from voices.flac import packed

MODEL = "chatterbox"
NEEDS = {"torch": "torch", "chatterbox": "chatterbox-tts"}
"""Modules, and the packages that bring them."""


def check(settings: Settings) -> Path:
    """The folder of the weights. Raises `not_installed` or `weights_missing`, before any work is done."""
    missing = [package for module, package in NEEDS.items() if find_spec(module) is None]
    if missing:
        raise Failure(
            "not_installed",
            f"A Chatterbox .pth is written by Chatterbox itself, and {' and '.join(missing)} cannot be found here.",
            field="pth",
            hint="The voice itself needs no .pth: leave --pth out.",
        )
    return find(_entry(), settings)


def write(samples: Samples, rate: int, into: Path, weights: Path) -> None:
    """The file appears whole or not at all."""
    from chatterbox.tts import ChatterboxTTS  # type: ignore[import-not-found]

    part = into.with_name(f".{secrets.token_hex(8)}.part")
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "voice.flac"
        recording.write_bytes(packed(samples, rate))
        model = ChatterboxTTS.from_local(weights, "cpu")
        model.prepare_conditionals(str(recording))
    try:
        model.conds.save(part)
        part.rename(into)
    except OSError as error:
        raise Failure("storage_failed", f"The .pth cannot be written: {error.strerror}.", field="pth") from error
    finally:
        part.unlink(missing_ok=True)


def _entry() -> Entry:
    return next(entry for entry in table() if entry.id == MODEL)
