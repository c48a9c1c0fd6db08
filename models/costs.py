"""What a turn costs, learnt from the turns that ran: by stage, rows and size. Knows no clock and no deck.

A cost grows with rows and size and at most in proportion to them, so each size seen bounds every other from
above, and the least bound is the estimate. The median of the last few makes one slow turn harmless.
"""

from collections import defaultdict, deque
from math import ceil
from statistics import median_low
from threading import Lock

KEPT = 9
"""Turns remembered of each kind: an outlier does not move the median, a changed load does after five."""

Shape = tuple[int, int]


class Costs:
    """Of one resident. What was never seen costs nothing, so that it is tried."""

    def __init__(self) -> None:
        self._turns: dict[str, _Medians] = defaultdict(_Medians)
        self._paces: dict[str, _Medians] = defaultdict(_Medians)
        self._sizes: dict[str, float] = {}
        self._lock = Lock()
        """The deck's thread learns and asks; others, who watch over it, ask for its capacity only."""

    def learn(self, stage: str, rows: int, size: int, seconds: float, sound: float) -> None:
        """A turn of `rows`, the largest of `size`, took `seconds` and brought each row `sound` seconds."""
        with self._lock:
            self._turns[stage].add((edge(rows), edge(size)), seconds)
            if sound > 0:
                self._paces[stage].add((edge(rows), 1), seconds / sound)
                self._sizes[stage] = size / sound

    def of(self, stage: str, rows: int, size: int) -> float:
        """Seconds that such a turn takes."""
        known = self._turns.get(stage)
        return known.bound((edge(rows), edge(size))) if known else 0.0

    def knows(self, stage: str, rows: int, size: int) -> bool:
        """Whether such a turn was seen: all else is only bounded from above."""
        known = self._turns.get(stage)
        return known is not None and known.seen((edge(rows), edge(size)))

    def pace(self, rows: int) -> float:
        """Seconds of computing, all stages together, that give `rows` lines one second of sound each."""
        shape = (edge(max(1, rows)), 1)
        return sum(medians.bound(shape) for medians in self._paces.values())

    def chunk(self, rows: int, sound: float) -> float:
        """Seconds of computing, all stages one after the other, that give `rows` lines such a chunk each."""
        whole = sum(self.of(stage, rows, ceil(sound * size)) for stage, size in self._sizes.items())
        return max(whole, self.pace(rows) * sound)

    def load(self, lines: int, rows: int) -> float:
        """The share of all time that `lines` real-time listeners take, at most `rows` of them side by side."""
        side_by_side = max(1, min(lines, rows))
        return self.pace(side_by_side) * lines / side_by_side

    def capacity(self, rows: int, most: int = 1024) -> int | None:
        """Real-time listeners that can be carried; None until something was learnt."""
        with self._lock:
            if not self._paces:
                return None
            return next((lines - 1 for lines in range(1, most) if self.load(lines, rows) > 1.0), most)


class _Medians:
    """Seconds by shape."""

    def __init__(self) -> None:
        self._seen: dict[Shape, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._median: dict[Shape, float] = {}
        self._bounds: dict[Shape, float] = {}

    def add(self, shape: Shape, seconds: float) -> None:
        seen = self._seen[shape]
        seen.append(seconds)
        self._median[shape] = median_low(seen)
        self._bounds.clear()

    def seen(self, shape: Shape) -> bool:
        return shape in self._median

    def bound(self, shape: Shape) -> float:
        if shape not in self._bounds:
            self._bounds[shape] = self._median.get(shape) or min(
                (seconds * _times(shape, known) for known, seconds in self._median.items()), default=0.0
            )
        return self._bounds[shape]


def _times(shape: Shape, known: Shape) -> float:
    """How often `known` fits into `shape`, at least once: a smaller turn is not taken to be cheaper."""
    return max(1.0, shape[0] / known[0]) * max(1.0, shape[1] / known[1])


def edge(count: int) -> int:
    """The least of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that holds `count`, so that a few turns teach many."""
    if count <= 4:
        return max(1, count)
    power: int = 1 << (count - 1).bit_length()
    return power * 3 // 4 if count <= power * 3 // 4 else power
