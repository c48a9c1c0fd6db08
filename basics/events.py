"""What a job says while it is answered. Doors alone turn these into JSON, base64, SSE or frames."""

from dataclasses import dataclass, field
from typing import Any

from basics.errors import Failure


@dataclass(frozen=True, slots=True)
class Started:
    model: str
    voice: str
    language: str
    sample_rate: int
    format: str
    segments: int
    characters: int


@dataclass(frozen=True, slots=True)
class Audio:
    seq: int
    data: bytes = field(repr=False)
    """Encoded bytes; joined in order of `seq` they are one valid file."""
    start: float
    """Seconds from the beginning of the stream at which the first sample in `data` plays."""
    duration: float
    """Seconds of sound that `data` adds."""
    text: str = ""
    """What is spoken in it."""
    words: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    segments_done: int
    segments: int
    seconds_of_audio: float


@dataclass(frozen=True, slots=True)
class Done:
    answer: dict[str, Any]
    """The answer, flat, without an inlined file."""
    data: bytes | None = field(default=None, repr=False)
    """The inlined file: the queue's door fills it into `audio.data` late, HTTP sends it as the body."""
    location: str = ""
    """Where the file is stored, as history keeps it: `bucket:` or `volume:` and its key. Never shown to callers."""


@dataclass(frozen=True, slots=True)
class Failed:
    error: Failure


Event = Started | Audio | Progress | Done | Failed


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it is heard, in seconds from the start of its line."""

    text: str
    start: float
    end: float
