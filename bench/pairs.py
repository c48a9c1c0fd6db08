"""Pairs: two ways of doing the same thing, in turn, so that a machine whose speed drifts is unfair to neither.

A claim needs the spread of the differences below the difference itself; `Pairs` says so or says that it is not so.
"""

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one figure over the rounds."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, figures: list[float]) -> "Spread":
        quarters = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(quarters[0], statistics.median(figures), quarters[2])

    def told(self, scale: float = 1.0, digits: int = 1) -> str:
        """The median, and within brackets the range of the middle half."""
        median, low, high = (round(figure * scale, digits) for figure in (self.median, self.low, self.high))
        return f"{median} [{low}, {high}]"


@dataclass(frozen=True, slots=True)
class Pairs:
    ours: list[float]
    theirs: list[float]

    @property
    def difference(self) -> Spread:
        return Spread.of([ours - theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)])

    @property
    def ratio(self) -> Spread:
        return Spread.of([ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)])

    @property
    def certain(self) -> bool:
        """Whether the middle half of the differences lies within less than the difference."""
        difference = self.difference
        return difference.high - difference.low < abs(difference.median)


async def in_turn(
    ours: Callable[[], Awaitable[list[float]]], theirs: Callable[[], Awaitable[list[float]]], rounds: int = ROUNDS
) -> list[Pairs]:
    """Each call gives the same figures, such as first audio and total; one round of each is thrown away."""
    await ours()
    await theirs()
    measured: list[tuple[list[float], list[float]]] = []
    for number in range(rounds):
        if number % 2:
            other = await theirs()
            measured.append((await ours(), other))
        else:
            own = await ours()
            measured.append((own, await theirs()))
    figures = range(len(measured[0][0]))
    return [Pairs([own[k] for own, _ in measured], [other[k] for _, other in measured]) for k in figures]


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
