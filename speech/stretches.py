"""A recording that is to be said again, cut into stretches that an engine takes at once.

It is cut in pauses, which are kept as silence between the stretches; only sound without any is cut where it is
quietest. What is silent at both ends is left out, and nothing else: it goes by level alone, since what listens for
speech misses whispers and songs. It knows no engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from basics.audio import Samples, to_db
from listening.activity import Span, joined

LEAD_SECONDS, TAIL_SECONDS = 0.04, 0.1
"""Kept around speech: breath of a consonant, the room's decay."""
FRAME_SECONDS = 0.02
SILENT_DB, SOFTEST_DB = -60.0, 40.0
"""Silent is what is under the one, or by the other under the loudest twentieth."""
PAUSE_SECONDS, CLICK_SECONDS = 0.2, 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    pause: float
    """Seconds of silence before it."""
    samples: Samples


def loud(samples: Samples, rate: int) -> list[Span]:
    """Where there is sound."""
    size = max(1, round(FRAME_SECONDS * rate))
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    if not len(frames):
        return []
    levels = np.array([to_db(float(level)) for level in np.std(frames, axis=1, dtype=np.float64)])
    threshold = max(SILENT_DB, float(np.percentile(levels, 95)) - SOFTEST_DB)
    return joined(levels > threshold, size / rate, PAUSE_SECONDS, CLICK_SECONDS)


def stretches(samples: Samples, rate: int, spans: Sequence[Span], longest: float) -> list[Stretch]:
    """Each of at most `longest` seconds."""
    room = longest - LEAD_SECONDS - TAIL_SECONDS
    together: list[Span] = []
    for span in (part for whole in spans for part in _halved(whole, samples, rate, room)):
        if together and span.end - together[-1].start <= room:
            together[-1] = Span(together[-1].start, span.end)
        else:
            together.append(span)
    found: list[Stretch] = []
    ended = 0.0
    for index, span in enumerate(together):
        following = together[index + 1].start if index + 1 < len(together) else len(samples) / rate
        start = max(ended, span.start - LEAD_SECONDS)
        end = max(span.end, min(following - LEAD_SECONDS, span.end + TAIL_SECONDS))
        pause = start - ended if found else 0.0
        found.append(Stretch(pause, samples[round(start * rate) : round(end * rate)]))
        ended = end
    return found


def _halved(span: Span, samples: Samples, rate: int, longest: float) -> list[Span]:
    """Speech without a pause, cut where it is quietest in the second half of what fits."""
    parts: list[Span] = []
    while span.seconds > longest:
        first = round((span.start + longest / 2) * rate)
        looked = samples[first : round((span.start + longest) * rate)]
        size = max(1, round(FRAME_SECONDS * rate))
        frames = looked[: len(looked) // size * size].reshape(-1, size).astype(np.float64)
        quietest = int(np.argmin((frames**2).mean(axis=1)))
        at = (first + quietest * size + size // 2) / rate
        parts.append(Span(span.start, at))
        span = Span(at, span.end)
    return [*parts, span]
