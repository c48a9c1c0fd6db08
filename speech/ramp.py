"""How long a stream's next line may be, so that a lone listener hears no gap while a slow device makes it.

It reckons with what the plan knows: how much sound a second of computing makes, and how long texts play. A line is
made while the sound before it is heard, so lines grow with the sound in hand. It cuts nothing and knows no text.
"""

from dataclasses import dataclass
from math import inf

EASE = 0.8
"""The part of the sound in hand that a line takes to make, where it may be cut well: texts play longer or shorter
than expected."""


@dataclass(slots=True)
class Ramp:
    """Of one stream, alone on its device, as its lines are planned in order."""

    pace: float
    """Seconds of sound that a second of computing makes."""
    hand: float = inf
    """Seconds that will lie ready when the line before is made. Nobody waits behind the first."""

    @property
    def most(self) -> float:
        """Seconds of the engine's sound that the next line may have, if all texts play as long as expected."""
        return self.hand * self.pace

    @property
    def ease(self) -> float:
        """Seconds that it should have."""
        return EASE * self.most

    def follows(self, next: float, first: float) -> bool:
        """Whether so much can be made while a first line of `first` is heard."""
        return next <= first * self.pace

    def add(self, made: float, heard: float) -> None:
        """A line comes next: `made` seconds of the engine's sound, `heard` at the listener, the silence before it
        included."""
        left = 0.0 if self.hand == inf else max(0.0, self.hand - made / self.pace)
        self.hand = left + heard
