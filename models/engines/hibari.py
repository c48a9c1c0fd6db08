"""Hibari: 8 MB of English on the CPU, weights inside the wheel. The worker's default.

Each voice is a whole small network in a file of its own. `heart` comes with the wheel; the others are spoken
where `builder.fetch_weights` has put them. Upstream would download them at first use: it never gets to.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from basics.audio import Samples, join
from basics.errors import Failure
from models.card import Card, Preset
from models.engine import Conditioning, Engine, Line
from voices.voice import Voice

if TYPE_CHECKING:
    from hibari import Hibari as Network  # type: ignore[import-untyped]

VOICES = ("heart", "emma", "fenrir", "fable", "kore")
"""In this order for good: a conditioning names its voice by place."""
LONGEST = 400
"""Phonemes that the network reads at once. Upstream keeps to it at clauses only."""
_SPOKEN = re.compile(r"\w")


class Hibari(Engine):
    card: ClassVar[Card] = Card(
        "hibari",
        "Hibari",
        languages=("en", "en-us", "en-gb"),
        rate=24_000,
        licence="Apache-2.0",
        help="Clear English on a CPU, far faster than it plays. The voice decides the accent.",
        presets=(
            Preset("heart", "Heart", "en-us", "female", loudness=-26.3, description="American; in the wheel"),
            Preset("emma", "Emma", "en-gb", "female", description="British; to be fetched"),
            Preset("fenrir", "Fenrir", "en-us", "male", description="American; to be fetched"),
            Preset("fable", "Fable", "en-gb", "male", description="British; to be fetched"),
            Preset("kore", "Kore", "en-us", "female", description="American; to be fetched"),
        ),
        speed=(0.5, 2.0),
        repeatable="exact",
        revision="0.2.1",
        comfortable=300,
        pace=16.5,
    )

    def __init__(self, networks: "dict[str, Network]") -> None:
        self._networks = networks

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        """Every voice that is there; each says an unknown word, so that the first line waits for nothing."""
        from hibari import Hibari as Network
        from hibari.voices import VOICES as known  # type: ignore[import-untyped]

        networks: dict[str, Network] = {}
        readers: dict[bool, object] = {}
        for id in VOICES:
            held = weights / "voices" / known[id]["file"]
            if not known[id].get("bundled") and not held.is_file():
                continue
            british = known[id]["british"]
            path = None if known[id].get("bundled") else _checked(id, held, known[id]["sha256"])
            networks[id] = Network(id, model=path, threads=1, g2p=readers.get(british))
            readers[british] = networks[id].g2p
            networks[id]("Hibaria.", seed=0)
        return cls(networks)

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.kind != "preset":
            raise Failure("voice_unusable", "hibari speaks in its own voices only.", field="voice")
        if voice.id not in VOICES:
            raise Failure(
                "unknown_voice", f"hibari has no voice `{voice.id}`; it has {', '.join(VOICES)}.", field="voice"
            )
        self._network(voice.id)
        return {"voice": np.array([VOICES.index(voice.id)], np.int64)}

    def speak(self, line: Line) -> Iterator[Samples]:
        network = self._network(VOICES[int(line.conditioning["voice"][0])])
        phonemes = [part for sentence in network.phonemize(line.text) for part in cut(sentence)]
        if not any(_SPOKEN.search(part) for part in phonemes):
            raise Failure(
                "invalid_input", f"hibari cannot pronounce {_quoted(line.text)}: it reads English.", field="text"
            )
        noise = np.random.default_rng(line.seed)
        yield join([network.from_ids(network.ids(part), line.speed, noise) for part in phonemes])

    def _network(self, id: str) -> "Network":
        if id not in self._networks:
            raise Failure(
                "weights_missing",
                f"The voice `{id}` of hibari is not on this worker; `python -m builder.fetch_weights --model hibari` "
                "fetches it.",
                field="voice",
            )
        return self._networks[id]


def _checked(id: str, held: Path, sha256: str) -> str:
    if hashlib.sha256(held.read_bytes()).hexdigest() != sha256:
        raise Failure("weights_missing", f"The file of hibari's voice `{id}` is damaged; delete and fetch it again.")
    return str(held)


def cut(phonemes: str) -> list[str]:
    """Parts of at most `LONGEST`, between words: without commas upstream would hand over any length at once."""
    parts: list[str] = []
    for word in phonemes.split(" "):
        while len(word) > LONGEST:
            parts.append(word[:LONGEST])
            word = word[LONGEST:]
        if parts and len(parts[-1]) + 1 + len(word) <= LONGEST:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


def _quoted(text: str) -> str:
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
