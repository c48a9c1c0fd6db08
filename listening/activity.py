"""When there is speech: an interface, and the one answer that needs no weights.

`Levels` listens to loudness and voicing, `listening.silero` asks a network where its file is installed. Both
say where speech is, in seconds; neither knows who speaks or what.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples
from listening.frames import HOP, Frames, frames

SHORTEST_SPEECH = 0.12
"""Seconds; what is shorter is a click or a breath."""
SHORTEST_PAUSE = 0.2
"""Seconds; what is shorter is the closure of a consonant."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech, in seconds from the start."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class Activity(Protocol):
    def spans(self, samples: Samples, rate: int) -> tuple[Span, ...]:
        """Stretches of speech in order, none touching the next."""
        ...


class Levels:
    """Speech is what rises above the floor and has voiced sound in it. No weights; music rises, too."""

    def spans(self, samples: Samples, rate: int) -> tuple[Span, ...]:
        return spans_in(frames(samples, rate), len(samples) / rate)


def spans_in(heard: Frames, seconds: float) -> tuple[Span, ...]:
    level = _smooth(heard.level_db)
    floor, loud = float(np.percentile(level, 5)), float(np.percentile(level, 95))
    if loud < -75:
        return ()
    threshold = max(floor + max(5.0, 0.3 * (loud - floor)), loud - 40)
    if loud - floor < 6:
        # As steady as noise or a tone: a word without any pause still rises and falls by more than this.
        return ()
    stretches = joined(level > threshold, HOP, SHORTEST_PAUSE, SHORTEST_SPEECH)
    voiced = (heard.voicing > 0.6) & (level > threshold)
    return tuple(
        Span(max(0.0, span.start - HOP), min(seconds, span.end + HOP))
        for span in stretches
        if _share(voiced, span) > 0.15
    )


def joined(active: NDArray[np.bool_], step: float, pause: float, shortest: float) -> list[Span]:
    """Runs of true frames as spans; short gaps are closed first, then short runs are dropped."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    found: list[Span] = []
    for first, last in zip(edges[::2] * step, edges[1::2] * step, strict=True):
        if found and first - found[-1].end < pause:
            found[-1] = Span(found[-1].start, float(last))
        else:
            found.append(Span(float(first), float(last)))
    return [span for span in found if span.seconds >= shortest]


def _smooth(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over five frames, so that the dips between two periods of a deep voice are no pauses."""
    padded = np.pad(level, 2, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 5).mean(axis=1), np.float32)


def _share(voiced: NDArray[np.bool_], span: Span) -> float:
    part = voiced[round(span.start / HOP) : max(round(span.end / HOP), round(span.start / HOP) + 1)]
    return float(part.mean()) if part.size else 0.0
