"""An order: everything decided about one piece of speech, before anything is loaded or computed."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from basics.audio import Samples
from models.card import Card
from models.engine import Options
from models.watermark import Watermark
from speech.formats import Output
from speech.plan import Segment
from speech.stamp import Stamp
from voices.voice import Voice


@dataclass(frozen=True, slots=True)
class Role:
    """One segment, with who speaks it and how."""

    segment: Segment
    voice: Voice
    language: str
    options: Options
    gain_db: float
    """Brings the voice, as the model speaks it, to the loudness asked for. 0 where it was not measured."""
    source: Samples | None = None
    """The sound to be said again instead of text, at the card's rate."""
    live: bool = False
    """Whether its segment's text grows while it is spoken."""

    def seconds(self, card: Card) -> float:
        """About how long it plays at speed 1."""
        return card.seconds(self.segment.text) if self.source is None else len(self.source) / card.rate


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    id: str
    """The job's."""
    card: Card
    roles: Sequence[Role]
    """In live speech a list that grows while it is spoken."""
    after: float
    """Seconds of silence behind the last role."""
    pitch: float
    """Semitones."""
    output: Output
    loudness: float | None
    """LUFS; None leaves the level as it is."""
    stamp: Stamp | None
    """What the file's tags say."""
    asked: str
    """The delivery that was asked for."""
    delivery: str
    """`stream`, `inline`, `url` or `volume`: `auto` has been decided."""
    keep: bool
    """Whether a stream's whole file is stored too."""
    seed: int
    characters: int
    seconds: float
    """Of sound, estimated."""
    bytes: int
    """Of the file, estimated."""
    received: float
    """When the job came, on the house's clock."""
    execution_seconds: float
    """After which the platform kills the job."""
    cancel: threading.Event
    warnings: tuple[str, ...] = ()
    watermark: Callable[[], Watermark] | None = None
    """Loads what marks the sound of a file."""

    @property
    def streams(self) -> bool:
        return self.delivery == "stream"

    @property
    def deadline(self) -> float:
        """When it stops by itself instead of being killed, on the house's clock."""
        return self.received + CLEAN_END * self.execution_seconds

    @property
    def voice(self) -> str:
        """Who speaks, each named once."""
        return ", ".join(dict.fromkeys(role.voice.id for role in self.roles))


CLEAN_END = 0.9
"""The share of the execution time that a job allows itself."""
