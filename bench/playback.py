"""Somebody who plays a stream in real time as it comes: when its first sound was there, the longest silence after it.

It reads no clock and asks nobody.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Playback:
    asked: float
    """When it was asked for; all times are of one clock, in seconds."""
    seconds: float = 0.0
    """Of sound that came."""
    gap: float = 0.0
    """The longest silence."""
    first: float | None = None
    """Until its first sound was there."""
    end: float = 0.0
    """When all that came has been heard."""

    def hear(self, seconds: float, now: float) -> None:
        """So much sound came."""
        if self.first is None:
            self.first, self.end = now - self.asked, now
        self.gap = max(self.gap, now - self.end)
        self.end = max(self.end, now) + seconds
        self.seconds += seconds
