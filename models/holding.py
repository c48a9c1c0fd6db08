"""What the manager keeps: models in memory, and models on their way. Plain; whoever changes them holds its lock."""

import concurrent.futures
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from models.eviction import Seat
from models.groups import Entry
from models.loading import ColdStart
from models.resident import Resident


@dataclass(slots=True, eq=False)
class Holding:
    """A model in memory."""

    resident: Resident
    seat: Seat
    since: float
    start: ColdStart


@dataclass(frozen=True, slots=True)
class Stuck:
    """A model that was let go of while its thread hung in a turn: its memory is taken until that turn ends."""

    seat: Seat
    thread: threading.Thread


@dataclass(slots=True, eq=False)
class Loading:
    """A model on its way. Everybody who asks meanwhile waits for the same."""

    entry: Entry
    since: float
    done: "concurrent.futures.Future[Holding]" = field(default_factory=concurrent.futures.Future)
    askers: int = 0
    reserved: float | None = None
    """Gigabytes kept for it; None while it waits for room."""
    holding: Holding | None = None


def described(holding: Holding, now: float) -> dict[str, Any]:
    numbers, seat = holding.resident.numbers, holding.seat
    return {
        "model": seat.id,
        "seconds": round(now - holding.since, 3),
        "memory_gb": round(seat.memory, 3),
        "standby": seat.standby,
        "uses": seat.uses,
        "lines": numbers.waiting + numbers.aboard,
        "lines_waiting": numbers.waiting,
        "rows": min(numbers.rows, numbers.room),
        "capacity": numbers.capacity,
        "audio_seconds": round(numbers.sound_seconds, 3),
        "busy_seconds": round(numbers.busy_seconds, 3),
        "failures": numbers.failures,
        "misses": holding.resident.measures.misses,
        "cold_start": {part: round(seconds, 3) for part, seconds in asdict(holding.start).items()},
    }
