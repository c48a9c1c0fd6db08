"""Recordings that need no cleaning: a note, as a reference that was taken in."""

import numpy as np

from basics.audio import Samples
from listening.activity import Span
from voices.quality import Quality
from voices.record import Record
from voices.reference import Reference, fingerprint

RATE = 24_000


def note(hertz: float, seconds: float = 0.5) -> Samples:
    """On the grid of 16 bits, where kept recordings lie."""
    sound = 0.3 * np.cos(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return (np.rint(sound * 32768) / 32768).astype(np.float32)


def reference(hertz: float = 300.0, seconds: float = 0.5) -> Reference:
    samples = note(hertz, seconds)
    spans = (Span(0.0, seconds),)
    quality = Quality(0.9, 40.0, 0.0, seconds)
    return Reference(samples, RATE, quality, fingerprint(samples, RATE), seconds, spans, spans)


def record(id: str, **parts: object) -> Record:
    return Record.model_validate({"id": id, "name": id, **parts})


def hertz(samples: Samples) -> int:
    """By its rises through zero; exact for whole periods."""
    return round(np.count_nonzero((samples[:-1] < 0) & (samples[1:] >= 0)) * RATE / len(samples))
