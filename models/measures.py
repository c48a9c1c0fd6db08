"""What a resident's turns came to. The deck's thread adds; anybody may read."""

from dataclasses import dataclass, field

from basics.metrics import COUNTS, Histogram


@dataclass(slots=True)
class Measures:
    turn_rows: Histogram = field(default_factory=lambda: Histogram(COUNTS))
    stages: dict[str, Histogram] = field(default_factory=dict)
    """Seconds of a turn, by stage."""
    in_hand: Histogram = field(default_factory=lambda: Histogram((0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)))
    """Seconds of sound that a started stream had when its next came; below nothing it was a miss."""
    misses: int = 0

    def ran(self, stage: str, rows: int, seconds: float) -> None:
        self.turn_rows.add(rows)
        self.stages.setdefault(stage, Histogram()).add(seconds)

    def came(self, slack: float) -> None:
        self.in_hand.add(slack)
        self.misses += slack < 0
