"""Streams that play without a gap: ours against a lock, against batching without deadlines, and against the best.

On a clock that only turns move, so that it is exact and quick. A stream counts where all of it was heard without
20 ms of silence; who has no first sound after a second hangs up.
"""

import random
import statistics
from collections.abc import Mapping, Sequence

from bench import rivals
from bench.best import best
from bench.pairs import table
from bench.stage import COSTS, Asked, Make, Played, crowd, ours, play, slowed

ROWS, ROOM = 32, 128
FULL = 85.2
"""Streams that the published engine carries at 32 rows if nothing is ever wasted."""
LOADS = (0.1, 0.4, 0.8, 0.9, 1.0, 1.1, 1.2)
SECONDS, EDGE = 30.0, 8.0
"""Of a load, and of its beginning and end that do not count."""
SMALL, SMALL_ROWS, SLOWER = 200, 4, 4.0
"""Loads to search, their rows, and how much slower the engine is there: six streams at once are too much for it."""

KINDS: Mapping[str, Make] = {
    "a lock": rivals.of(rivals.Lock),
    "no deadlines": rivals.of(rivals.Batching),
    "no deadlines, small first chunk": rivals.of(rivals.Early),
    "ours": ours(),
}


def main() -> str:
    return f"{crowds()}\n\n{small()}"


def crowds() -> str:
    """Clients who ask again as soon as they have heard all."""
    rows = [
        _row(load, name, crowd(make, round(load * FULL), SECONDS, ROWS, ROOM))
        for load in LOADS
        for name, make in KINDS.items()
    ]
    heads = ["load", "scheduler", "carried", "gaps over 20 ms", "hung up", "first audio p50, ms", "p95, ms"]
    return table([*heads, "decode turn p50, ms"], rows)


def _row(load: float, name: str, played: Played) -> list[str]:
    streams = played.streams(EDGE, SECONDS - EDGE)
    first = sorted(each.first for each in streams if each.first is not None) or [0.0]
    turns = [turn.seconds for turn in played.turns if turn.stage == "decode"]
    return [
        f"{load:.0%}",
        name,
        f"{played.carried(EDGE, SECONDS - EDGE):.1f}",
        str(sum(not each.content and each.first is not None for each in streams)),
        str(sum(each.first is None for each in streams)),
        f"{first[len(first) // 2] * 1000:.0f}",
        f"{first[int(len(first) * 0.95)] * 1000:.0f}",
        f"{statistics.median(turns) * 1000:.0f}",
    ]


def small(count: int = SMALL) -> str:
    """Ours against the best that a search finds which knows what will come."""
    costs = slowed(COSTS, SLOWER)
    heard, found = [], []
    for seed in range(count):
        load = _load(seed)
        played = play(ours(), load, SMALL_ROWS, 16, costs)
        heard.append(sum(each.asked.seconds for each in played.players if each.content))
        found.append(best(load, SMALL_ROWS, costs, heard[-1]))
    share = sum(heard) / sum(found)
    whole = sum(own >= most - 1e-6 for own, most in zip(heard, found, strict=True))
    return (
        f"{count} small loads: ours carries {share:.1%} of the sound that the best schedule found does, "
        f"and as much as it in {whole} of them."
    )


def _load(seed: int) -> Sequence[Asked]:
    """Six requests of one to three seconds, within one to four."""
    chance = random.Random(seed)
    within = chance.uniform(1.0, 4.0)
    arrivals = sorted(chance.uniform(0.0, within) for _ in range(6))
    return [Asked(at, chance.uniform(1.0, 3.0)) for at in arrivals]


if __name__ == "__main__":
    print(main())
