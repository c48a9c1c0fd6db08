"""Pocket TTS by Kyutai: English that clones from one recording and streams, on a CPU. Code MIT, weights CC-BY-4.0.

A voice is what the network keeps of having heard it: keys and values, in a preset's file or made of a recording.
Each part of a text, a sentence or two, starts from there. Upstream would download what it lacks: it never gets to.
It sets torch to one thread as it is imported, and stays so: two threads that wait for each other on a busy machine
took ten times as long for a frame as one.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from basics.audio import Samples
from basics.errors import Failure
from models.card import Card, Preset
from models.engine import Conditioning, Deck, Engine, Line, NoRoom, Options, Piece, Work
from voices.voice import Voice

if TYPE_CHECKING:
    from models.engines.pocket_network import Network, Passage

LANGUAGE = "english"
"""Folder of the weights, and name of upstream's own configuration of them."""
CONFIG = "config.yaml"
"""Beside the weights where they are somebody's own; upstream's otherwise."""
PLACES = 4
"""Rows gain nothing from each other on a CPU, they only take turns."""
FRAMES = 12
"""Offered at a time: 0.96 s, so that a cancelled line is gone soon."""
_VOICES = (
    ("alba", "Alba", "female", "by Alba MacKenna, CC-BY-4.0"),
    ("anna", "Anna", "female", "VCTK p228, CC-BY-4.0"),
    ("vera", "Vera", "female", "VCTK p229, CC-BY-4.0"),
    ("fantine", "Fantine", "female", "VCTK p244, CC-BY-4.0"),
    ("charles", "Charles", "male", "VCTK p254, CC-BY-4.0"),
    ("paul", "Paul", "male", "VCTK p259, CC-BY-4.0"),
    ("eponine", "Eponine", "female", "VCTK p262, CC-BY-4.0"),
    ("azelma", "Azelma", "female", "VCTK p303, CC-BY-4.0"),
    ("george", "George", "male", "VCTK p315, CC-BY-4.0"),
    ("mary", "Mary", "female", "VCTK p333, CC-BY-4.0"),
    ("jane", "Jane", "female", "VCTK p339, CC-BY-4.0"),
    ("michael", "Michael", "male", "VCTK p360, CC-BY-4.0"),
    ("eve", "Eve", "female", "VCTK p361, CC-BY-4.0"),
    ("marius", "Marius", "male", "a donated voice, CC0"),
    ("javert", "Javert", "male", "a donated voice, CC0"),
    ("bill_boerst", "Bill Boerst", "male", "voice-zero, CC0"),
    ("peter_yearsley", "Peter Yearsley", "male", "voice-zero, CC0"),
    ("stuart_bell", "Stuart Bell", "male", "voice-zero, CC0"),
    ("caro_davy", "Caro Davy", "female", "voice-zero, CC0"),
)
"""Upstream's English ones but `cosette` and `jean`, whose recordings forbid commercial use."""


class PocketOptions(Options):
    temperature: float = Field(0.3, ge=0.0, le=2.0, description="Spread of the noise; 0 has none.")
    decode_steps: int = Field(1, ge=1, le=16, description="Steps from noise to a frame; more are slower.")
    noise_clamp: float | None = Field(None, gt=0.0, le=10.0, description="The furthest that noise may lie from 0.")
    eos_threshold: float = Field(-4.0, ge=-20.0, le=20.0, description="Lower ends sooner, higher later.")
    frames_after_eos: int | None = Field(
        None, ge=0, le=50, description="Frames of 0.08 s after the end; upstream's guess by length where not given."
    )


class Pocket(Engine):
    card: ClassVar[Card] = Card(
        "pocket-tts",
        "Pocket TTS",
        languages=("en", "en-us", "en-gb"),
        rate=24_000,
        licence="CC-BY-4.0",
        help="English on a CPU that clones a voice from one recording, whose noise and room it speaks with too.",
        presets=tuple(Preset(id, name, "en", gender, description=about) for id, name, gender, about in _VOICES),
        clones=True,
        reference=(0.5, 15.0),  # upstream cuts at thirty; each second more makes every frame slower
        transcript="unread",
        streams=True,
        whole=False,
        repeatable="draws",
        memory=0.5,
        comfortable=200,
        pace=15.0,
    )
    Options: ClassVar[type[Options]] = PocketOptions

    def __init__(self, network: "Network", voices: Path) -> None:
        self._network, self._voices = network, voices

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        if dtype not in ("", "fp32", "float32"):
            raise Failure("misconfigured", f"DTYPE: pocket-tts comes in fp32, not `{dtype}`.")
        folder = weights / "languages" / LANGUAGE
        for name in ("model.safetensors", "tokenizer.json"):
            if not (folder / name).is_file():
                raise Failure("weights_missing", f"pocket-tts's {name} is not on this worker; {_HOW}")
        return cls(_network(weights, folder, device), folder / "embeddings")

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.samples is not None and voice.samples.size:
            return self._heard(voice.samples, voice.rate)
        if voice.kind != "preset":
            raise Failure("voice_unusable", "pocket-tts speaks in its own voices and in recorded ones.", field="voice")
        if self.card.preset(voice.id) is None:
            raise Failure("unknown_voice", f"pocket-tts has no voice `{voice.id}`.", field="voice")
        return self._preset(voice.id)

    def open(self, room: int) -> Deck:
        return PocketDeck(self._network, self.card, room)

    def speak(self, line: Line) -> Iterator[Samples]:
        reading = Reading(self._network, line)
        while not reading.over:
            yield reading.take(FRAMES)

    def memory(self) -> float:
        return self._network.bytes / 1e9

    def _heard(self, samples: Samples, rate: int) -> Conditioning:
        if not self._network.clones:
            raise Failure(
                "weights_missing", f"These weights of pocket-tts are those that cannot clone; {_HOW}", field="voice"
            )
        if len(samples) < rate / 2:
            raise Failure("voice_unusable", "pocket-tts needs half a second of a voice at the least.", field="voice")
        return self._network.heard(samples, rate)

    def _preset(self, id: str) -> Conditioning:
        from safetensors import SafetensorError

        from models.engines.pocket_network import voice_file

        path = self._voices / f"{id}.safetensors"
        if not path.is_file():
            raise Failure(
                "weights_missing", f"The voice `{id}` of pocket-tts is not on this worker; {_HOW}", field="voice"
            )
        try:
            found = voice_file(path)
        except (SafetensorError, OSError) as error:
            raise Failure("weights_missing", _damaged(f"voice `{id}`"), field="voice") from error
        if not self._network.fits(found):
            raise Failure(
                "weights_missing", f"The voice `{id}` is of other weights of pocket-tts; {_HOW}", field="voice"
            )
        return found


class PocketDeck:
    """A few places; rows are computed one after the other, each with a generator and a state of its own."""

    stages: tuple[str, ...] = ("speak",)

    def __init__(self, network: "Network", card: Card, room: int) -> None:
        self.room = max(1, min(room, PLACES))
        self._network, self._card = network, card
        self._rows: dict[str, Reading] = {}

    def admit(self, line: Line) -> None:
        if len(self._rows) >= self.room:
            raise NoRoom
        self._rows[line.id] = Reading(self._network, line)

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", f"{self._card.id} does not take text piece by piece.")

    def drop(self, line: str) -> None:
        self._rows.pop(line, None)

    def ready(self) -> Sequence[Work]:
        seconds = FRAMES * self._network.frame / self._network.rate
        return [Work(id, "speak", FRAMES, seconds) for id in self._rows]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        return [self._step(item.line, item.size) for item in work]

    def close(self) -> None:
        self._rows.clear()

    def _step(self, line: str, frames: int) -> Piece:
        reading = self._rows[line]
        try:
            piece = Piece(line, reading.take(frames), last=reading.over)
        except Failure as error:
            piece = Piece(line, np.zeros(0, np.float32), last=True, error=error)
        if piece.last:
            self.drop(line)
        return piece


class Reading:
    """A line under way, part by part."""

    def __init__(self, network: "Network", line: Line) -> None:
        self._network, self._line = network, line
        self._knobs = line.options if isinstance(line.options, PocketOptions) else PocketOptions()
        self._dice = network.dice(line.seed)
        self._left = int(line.longest * network.rate)
        self._parts = _parts(network, line.text)
        self._passage: Passage | None = None

    @property
    def over(self) -> bool:
        return not self._parts and self._passage is None

    def take(self, frames: int) -> Samples:
        """At most so many frames, of one part of the text."""
        from models.engines.pocket_network import Endless

        with self._network.computing():
            if self._passage is None:
                self._passage = self._begin(*self._parts.pop(0))
            try:
                sound = self._passage.take(frames)
            except Endless:
                message = "The model did not come to the end of the text in the time that it should take."
                raise Failure("internal", message, retryable=True) from None
        self._left -= len(sound)
        if self._left < 0:
            message = f"The model did not come to an end within {self._line.longest:g} s of sound."
            raise Failure("internal", message, retryable=True)
        if self._passage.over:
            self._passage = None
        return sound

    def _begin(self, part: str, after: int) -> "Passage":
        own = self._knobs.frames_after_eos
        after = after if own is None else own
        return self._network.speak(self._line.conditioning, part, after, self._knobs, self._dice)


_HOW = "`python -m builder.fetch_weights --model pocket-tts` fetches it."


def _network(weights: Path, folder: Path, device: str) -> "Network":
    """Upstream's loader, told of files on this disk only."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    import yaml  # type: ignore[import-untyped,unused-ignore]
    from pocket_tts import TTSModel  # type: ignore[import-not-found,unused-ignore]
    from pocket_tts.utils.config import CONFIGS_DIR, load_config  # type: ignore[import-not-found,unused-ignore]
    from safetensors import SafetensorError

    from models.engines.pocket_network import Network

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Failure("misconfigured", "DEVICE: this image's torch has no CUDA; set DEVICE=cpu.")
    logging.getLogger("pocket_tts").setLevel(logging.ERROR)  # its warnings quote the text
    own = weights / CONFIG
    config = load_config(own if own.is_file() else CONFIGS_DIR / f"{LANGUAGE}.yaml").model_dump()
    config["weights_path"], config["weights_path_without_voice_cloning"] = str(folder / "model.safetensors"), None
    config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(folder / "tokenizer.json")
    try:
        json.loads((folder / "tokenizer.json").read_bytes())  # of a broken one tokenizers throws a bare Exception
        with tempfile.TemporaryDirectory() as scratch:
            told = Path(scratch) / CONFIG
            told.write_text(yaml.safe_dump(config))
            model: Any = TTSModel.load_model(config=told)
    except (SafetensorError, RuntimeError, AssertionError, OSError, ValueError) as error:
        raise Failure("weights_missing", _damaged("weights")) from error
    return Network(model.to(device))


def _parts(network: "Network", text: str) -> list[tuple[str, int]]:
    if not any(char.isalnum() for char in text):
        raise Failure("invalid_input", "pocket-tts has nothing to say: the text has no letter or digit.", field="text")
    try:
        return network.parts(text)
    except ValueError as error:
        raise Failure("invalid_input", "pocket-tts cannot pronounce any of the text.", field="text") from error


def _damaged(what: str) -> str:
    return f"pocket-tts's {what} cannot be read; delete the files and fetch them again."
