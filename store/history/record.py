"""A job as history keeps it, and what can be asked of many. Plain data: knows no database and no house."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

State = Literal["pending", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = ("pending", "running")
"""States of a job that has not ended."""

EXCERPT_CHARS = 200
"""Of the text, in a list."""


@dataclass(frozen=True, slots=True)
class Record:
    id: str
    op: str = "speak"
    state: State = "pending"
    model: str = ""
    voice: str = ""
    text: str = field(default="", repr=False)
    """What was said; empty with KEEP_TEXT=0."""
    batch: str = ""
    created: float = 0.0
    """Seconds since 1970, as are the other two."""
    started: float | None = None
    ended: float | None = None
    duration: float = 0.0
    """Seconds of sound."""
    code: str = ""
    """Of the error, if it failed."""
    message: str = ""
    audio: str = ""
    """Where the file is: `bucket:`, `volume:` or `results:` and a key. Never an address that was signed."""
    format: str = ""
    bytes: int = 0
    usage: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""
    """Which process runs or ran it."""
    place: str = ""
    """Where that is: the endpoint's id, or `local`."""

    @property
    def open(self) -> bool:
        return self.state in OPEN

    def told(self, excerpt: bool = False) -> dict[str, Any]:
        """As answers tell it."""
        return {
            "id": self.id,
            "op": self.op,
            "status": self.state,
            "model": self.model,
            "voice": self.voice,
            "text": self.text[:EXCERPT_CHARS] if excerpt else self.text,
            "batch": self.batch,
            "created": _moment(self.created),
            "started": _moment(self.started),
            "ended": _moment(self.ended),
            "error": {"code": self.code, "message": self.message} if self.code else None,
            "audio": self._sound() if self.format else None,
            "usage": dict(self.usage),
            "worker": self.worker,
            "place": self.place,
        }

    def _sound(self) -> dict[str, Any]:
        return {"format": self.format, "bytes": self.bytes, "duration": self.duration, "kept": bool(self.audio)}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_dict(cls, given: Mapping[str, Any]) -> "Record":
        """Fields that only a later version knows are left out."""
        return cls(**{name: given[name] for name in FIELDS if name in given})


FIELDS = tuple(each.name for each in fields(Record))


@dataclass(frozen=True, slots=True)
class Query:
    page: int = 1
    page_size: int = 50
    state: str = ""
    model: str = ""
    voice: str = ""
    batch: str = ""
    search: str = ""
    """Every word must be in the text; the last one may be the beginning of a word."""


@dataclass(frozen=True, slots=True)
class Page:
    """The newest first."""

    records: tuple[Record, ...]
    total: int
    more: bool = False
    """Whether there are more than `total`: counting ends somewhere."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What an accepted job needs to be run again by another process."""

    id: str
    input: str = field(repr=False)
    """JSON; empty where it holds what may not be stored."""
    begun: int = 0
    """How many processes have begun it, this one too."""
    wanted: bool = True
    """False once somebody asked for it to be cancelled."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A stored file that has had its time."""

    id: str
    audio: str
    created: float
    """When its job was."""


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
