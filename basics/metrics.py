"""Figures that are counted while the worker works, and how Prometheus reads them. Knows nothing of what they mean."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(slots=True)
class Histogram:
    """How often a figure fell under each bound. One thread adds; others may read, a moment late."""

    bounds: tuple[float, ...] = SECONDS
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, figure: float) -> None:
        self.counts[bisect_left(self.bounds, figure)] += 1
        self.sum += figure

    @property
    def count(self) -> int:
        return sum(self.counts)

    def told(self) -> dict[str, float]:
        """For people: how many, and their mean."""
        return {"count": self.count, "mean": round(self.sum / self.count, 4) if self.count else 0.0}

    def lines(self, name: str, labels: Mapping[str, str]) -> Iterator[str]:
        seen = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            seen += count
            yield sample(f"{name}_bucket", {**labels, "le": bound}, seen)
        yield sample(f"{name}_sum", labels, self.sum)
        yield sample(f"{name}_count", labels, seen)


def sample(name: str, labels: Mapping[str, str], figure: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {figure:g}" if shown else f"{name} {figure:g}"


def family(name: str, kind: str, help: str, lines: list[str]) -> list[str]:
    """A metric with its head; nothing where there is nothing to say."""
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}", *lines] if lines else []


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
