"""A recording as engines want it: mono at one rate, without offset, hum, silent ends, at one level.

Nothing is changed that is not wrong: clean speech comes out as it went in, but for its gain. The same
recording gives the same samples, always. Judging is `quality.py`'s business.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from basics.audio import Samples, from_db, join, peak, silence, to_db
from listening.activity import Span
from listening.resampling import resampled
from voices.hum import Hum, find, without

RATE = 24_000
LEVEL = -20.0
"""LUFS."""
PEAK_DB = -1.0
MARGIN = 0.15
"""Seconds kept before the first word and after the last."""
BETWEEN = 0.4
"""Seconds of silence between two recordings of one voice."""
OFFSET = 3e-4
"""A constant offset below this (-70 dBFS) is left."""
FADE = 0.01
JUDGED_SECONDS = 60
STEP = 2.0**-15
"""Samples are whole multiples of this, so that a 16-bit FLAC gives back the very same ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    samples: Samples
    rate: int
    offset: float
    """What stood under the sound and was taken away."""
    hum: Hum | None


def clean(samples: Samples, rate: int, to_rate: int = RATE) -> Cleaned:
    """At the wanted rate, without offset and hum."""
    plain = resampled(samples, rate, to_rate)
    offset = float(np.mean(plain, dtype=np.float64)) if plain.size else 0.0
    if abs(offset) > OFFSET:
        plain = plain - np.float32(offset)
    hum = find(plain, to_rate)
    return Cleaned(plain if hum is None else without(plain, to_rate, hum), to_rate, offset, hum)


def trim(samples: Samples, rate: int, spans: Sequence[Span]) -> tuple[Samples, tuple[Span, ...]]:
    """From just before the first word to just after the last, and the spans as they are then."""
    first = max(0, round((spans[0].start - MARGIN) * rate))
    last = min(len(samples), round((spans[-1].end + MARGIN) * rate))
    kept = _faded(samples[first:last].copy(), rate)
    return kept, tuple(Span(span.start - first / rate, span.end - first / rate) for span in spans)


def level(samples: Samples, rate: int, spans: Sequence[Span]) -> Samples:
    """At `LEVEL` while somebody speaks; quieter where a peak would go over `PEAK_DB`. Changes them in place."""
    gain = from_db(LEVEL - loudness(samples, rate, spans))
    samples *= np.float32(min(gain, from_db(PEAK_DB) / max(peak(samples), 1e-6)))
    return samples


def loudness(samples: Samples, rate: int, spans: Sequence[Span]) -> float:
    """LUFS of the speech in the first minute of it."""
    import pyloudnorm  # type: ignore[import-untyped]  # loads scipy, which only a worker that takes references in need pay for

    spoken = join([samples[round(span.start * rate) : round(span.end * rate)] for span in spans])
    spoken = spoken[: JUDGED_SECONDS * rate]
    if len(spoken) < 0.4 * rate:
        return to_db(float(np.sqrt(np.mean(np.square(spoken))))) if spoken.size else LEVEL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lufs = float(pyloudnorm.Meter(rate).integrated_loudness(spoken))
    return max(lufs, -70.0)


def append(
    parts: Sequence[tuple[Samples, tuple[Span, ...]]], rate: int
) -> tuple[Samples, tuple[Span, ...], tuple[Span, ...]]:
    """Recordings one after the other with a pause between: samples, speech, and where each recording lies."""
    pieces: list[Samples] = []
    spans: list[Span] = []
    places: list[Span] = []
    at = 0.0
    for samples, spoken in parts:
        if pieces:
            pieces.append(silence(BETWEEN, rate))
            at += len(pieces[-1]) / rate
        pieces.append(samples)
        places.append(Span(at, at + len(samples) / rate))
        spans += [Span(span.start + at, span.end + at) for span in spoken]
        at += len(samples) / rate
    return pieces[0] if len(pieces) == 1 else join(pieces), tuple(spans), tuple(places)


def stepped(samples: Samples) -> Samples:
    """On the grid of sixteen bits. Changes them in place: there may be ten minutes."""
    samples /= np.float32(STEP)
    np.rint(samples, out=samples)
    np.clip(samples, -32768, 32767, out=samples)
    samples *= np.float32(STEP)
    return samples


def _faded(samples: Samples, rate: int) -> Samples:
    """No click where it was cut."""
    size = min(round(FADE * rate), len(samples) // 2)
    if size:
        ramp = np.linspace(0, 1, size, dtype=np.float32)
        samples[:size] *= ramp
        samples[-size:] *= ramp[::-1]
    return samples
