"""An order: everything decided about one piece of speech, before anything is loaded or computed."""

import threading
from dataclasses import dataclass, field

from models.card import Card
from models.engine import Options
from speech.plan import Segment
from voices.voice import Voice


@dataclass(frozen=True, slots=True)
class Part:
    """One segment with who speaks it and how."""

    segment: Segment
    voice: Voice
    language: str
    options: Options
    speed: float


@dataclass(frozen=True, slots=True)
class Sound:
    """How the result is to be encoded."""

    format: str
    rate: int
    """Samples a second."""
    bitrate: int | None
    """Kilobits a second, where the format has one."""
    loudness: float | None
    """LUFS; None leaves the level alone."""
    pitch: float
    """Semitones."""
    stamped: bool


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    id: str
    """The job's."""
    card: Card
    parts: tuple[Part, ...]
    sound: Sound
    delivery: str
    """`stream`, `inline`, `url` or `volume`: `auto` has been decided."""
    keep: bool
    seed: int
    estimated_seconds: float
    received: float
    """When the job came, on the house's clock."""
    deadline: float
    """When it must have ended, on the same clock."""
    cancel: threading.Event
    characters: int
    warnings: tuple[str, ...] = ()
    gains: dict[str, float] = field(default_factory=dict)
    """Decibels of each voice in a stream, by the voice's digest."""

    @property
    def streams(self) -> bool:
        return self.delivery == "stream"
