"""A listener: who hears the lines of one job, and how much sound is in hand before they run dry.

Speech writes when the first sound went out and how much was given; the deck's thread writes what was computed
for it. Plain numbers, each with one writer, so that nobody needs a lock.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

Kind = Literal["stream", "file", "live"]


@dataclass(slots=True, eq=False)
class Listener:
    """One a job, shared by all its lines. The scheduler is fair between listeners, not between lines."""

    kind: Kind
    expected: float = inf
    """Seconds of sound in all, about; without an end while its text is being written."""
    first: float | None = None
    """When its first sound went out, on the house's clock."""
    given: float = 0.0
    """Seconds of sound that went out so far."""
    made: float = 0.0
    """Seconds of sound computed for it so far; the deck's thread writes it."""
    gpu_seconds: float = 0.0
    """Its share of each step it was part of; the deck's thread writes it."""

    @property
    def waits(self) -> bool:
        """Whether somebody hears it while it is made."""
        return self.kind != "file"

    @property
    def started(self) -> bool:
        return self.first is not None or self.made > 0

    def give(self, seconds: float, now: float) -> None:
        """So much sound goes out. Who had run dry meanwhile plays on from now: the gap is over."""
        if self.first is not None:
            self.first = max(self.first, now - self.given)
        self.given += seconds

    def slack(self, unread: float, now: float) -> float:
        """Seconds until it runs dry, `unread` seconds of sound lying ready for it. Before it plays, nothing drains."""
        if self.first is None:
            return self.made
        return self.first + self.given + unread - now
