"""The best schedule that an offline search finds for a small load, knowing all that will come.

It tries sets of requests, the most sound first, and for each set many ways to order the turns; the first set of
which everybody hears all in time is the best. A set that no way serves might still be served by another: the
search gives a lower bound of the best, and a schedule of ours that beats it is taken as the best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from bench.stage import GAP_SECONDS, PATIENCE_SECONDS, STAGES, Asked
from models.engines.tone import Cost, Tone

FRAME_SECONDS = 0.02
CLOSE_SECONDS = 1.0
"""To what is missed, from which on a row goes along where only those do."""
WAYS = tuple(product((4, 8), (4, 8, 16, 48), (0.0, 0.5), (True, False)))
"""Frames of a first chunk and of the least later one, how a chunk grows with the sound in hand, and whether all go
along or only who is late."""


Way = tuple[int, int, float, bool]


@dataclass(slots=True)
class Row:
    """A request on its way through the stages."""

    at: float
    tokens: int
    frames: int
    read: bool = False
    decoded: int = 0
    spoken: int = 0
    started: float = 0.0

    def due(self) -> float:
        """When its next sound is missed."""
        if self.spoken == 0:
            return self.at + PATIENCE_SECONDS
        return self.started + self.spoken * FRAME_SECONDS + GAP_SECONDS

    def next(self, now: float, way: Way) -> tuple[str, int]:
        """The stage it needs, and how far."""
        if not self.read:
            return "prefill", self.tokens
        first, later, growth, _ = way
        grown = int((self.due() - now) * growth / FRAME_SECONDS)
        chunk = min(first if self.spoken == 0 else max(later, grown), self.frames - self.spoken)
        ready = self.decoded - self.spoken
        return ("vocode", ready) if ready >= chunk else ("decode", chunk - ready)

    def could(self, stage: str, size: int) -> int:
        """How much of such a turn it has use for."""
        if stage == "prefill" or not self.read:
            return 0 if self.read or stage != "prefill" else self.tokens
        return min(size, self.frames - self.decoded if stage == "decode" else self.decoded - self.spoken)

    def move(self, stage: str, size: int, now: float) -> bool:
        """False where its sound comes too late."""
        if stage == "prefill":
            self.read = True
        elif stage == "decode":
            self.decoded += size
        else:
            if now > self.due():
                return False
            self.started = self.started if self.spoken else now
            self.spoken += size
        return True


def best(load: Sequence[Asked], rows: int, costs: Mapping[str, Cost], least: float = 0.0) -> float:
    """Seconds of sound; `least` is known to be possible."""
    for chosen in _sets(load):
        seconds = sum(each.seconds for each in chosen)
        if seconds <= least:
            break
        if _possible(chosen, rows, costs) and any(_served(chosen, rows, costs, way) for way in WAYS):
            return seconds
    return least


def _sets(load: Sequence[Asked]) -> list[tuple[Asked, ...]]:
    found = [chosen for size in range(len(load), 0, -1) for chosen in combinations(load, size)]
    return sorted(found, key=lambda chosen: -sum(each.seconds for each in chosen))


def _possible(chosen: Sequence[Asked], rows: int, costs: Mapping[str, Cost]) -> bool:
    """Whether the fullest turns alone fit between the first arrival and the last moment of the last sound."""
    frames = sum(round(each.seconds / FRAME_SECONDS) for each in chosen)
    pace = sum(costs[stage].step / rows + costs[stage].row for stage in STAGES[1:])
    end = max(each.at + PATIENCE_SECONDS + each.seconds for each in chosen)
    return frames * pace <= end - min(each.at for each in chosen)


def _served(chosen: Sequence[Asked], most: int, costs: Mapping[str, Cost], way: Way) -> bool:
    rest = [Row(each.at, round(each.seconds * Tone.card.pace), round(each.seconds / FRAME_SECONDS)) for each in chosen]
    now = 0.0
    while rest:
        now = max(now, min(row.at for row in rest))
        here = sorted((row for row in rest if row.at <= now), key=Row.due)
        stage, size = here[0].next(now, way)
        along = [row for row in here if way[3] or row is here[0] or row.due() - now < CLOSE_SECONDS]
        going = [(row, part) for row in along if (part := row.could(stage, size)) > 0][:most]
        cost = costs[stage]
        now += cost.start + max(part for _, part in going) * (cost.step + cost.row * len(going))
        if not all(row.move(stage, part, now) for row, part in going):
            return False
        rest = [row for row in rest if row.spoken < row.frames]
    return True
