"""Who leaves memory: pure choices over plain data. Loads and unloads nothing.

Who is borrowed and who stands by never leaves; of the others the least recently borrowed goes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    """A model in memory, or on its way there."""

    id: str
    memory: float
    """Gigabytes."""
    borrowed: float
    """When it was last taken or given back."""
    uses: int = 0
    """How many have it now; on its way, it counts as used."""
    standby: bool = False

    @property
    def movable(self) -> bool:
        return self.uses == 0 and not self.standby


def victims(seats: Sequence[Seat], need: float, budget: float) -> tuple[str, ...] | None:
    """Who must leave for `need` gigabytes; None while too many are in use."""
    taken = sum(seat.memory for seat in seats)
    leaving: list[str] = []
    for seat in sorted((seat for seat in seats if seat.movable), key=lambda seat: seat.borrowed):
        if taken + need <= budget:
            break
        taken -= seat.memory
        leaving.append(seat.id)
    return tuple(leaving) if taken + need <= budget else None


def hopeless(seats: Sequence[Seat], need: float, budget: float) -> bool:
    """Whether `need` does not fit even when all who may ever leave have left."""
    return need + sum(seat.memory for seat in seats if seat.standby) > budget


def idle(seats: Sequence[Seat], now: float, limit: float) -> tuple[str, ...]:
    """Who was not wanted for `limit` seconds."""
    return tuple(seat.id for seat in seats if seat.movable and now - seat.borrowed >= limit)


def next_idle(seats: Sequence[Seat], now: float, limit: float) -> float | None:
    """Seconds until somebody may be idle; None when nobody will before something changes."""
    return min((max(0.0, seat.borrowed + limit - now) for seat in seats if seat.movable), default=None)
