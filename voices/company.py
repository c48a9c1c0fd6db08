"""Whether more than one person seems to speak: by pitch and timbre of each utterance, without a network.

Two groups of utterances that lie far apart in pitch and differ in timbre are two people, a deep voice and a
high one. Two people of like pitch are not told apart here; that takes a speaker encoder. One person who
changes register by over half an octave may be taken for two, so this warns and never refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from listening.activity import Span
from listening.frames import HOP, Frames

APART = 6.0
"""Semitones between the groups' means."""
TIMBRE_DB = 3.0
"""How far the groups' mean bands differ, level set aside."""
VOICED = 0.7
LEAST_SECONDS = 1.0
"""Of voiced sound in each group; one odd word is no person."""
PIECE = 1.0
"""Seconds in which one person is assumed to speak."""


@dataclass(frozen=True, slots=True)
class Company:
    """Two groups of utterances."""

    low_hz: float
    high_hz: float


@dataclass(frozen=True, slots=True, eq=False)
class _Utterance:
    semitones: float
    seconds: float
    timbre: NDArray[np.float32]


def several(heard: Frames, spans: Sequence[Span]) -> Company | None:
    told = sorted(
        (one for span in spans for one in _utterances(heard, span)), key=lambda utterance: utterance.semitones
    )
    splits = [(told[:at], told[at:]) for at in range(1, len(told))]
    splits = [split for split in splits if min(_seconds(part) for part in split) >= LEAST_SECONDS]
    if not splits:
        return None
    low, high = min(splits, key=lambda split: sum(_spread(part) for part in split))
    within = np.sqrt((_spread(low) + _spread(high)) / sum(map(_seconds, (low, high))))
    apart = _mean(high) - _mean(low)
    if apart < APART or apart < 2.5 * within or _timbre(low, high) < TIMBRE_DB:
        return None
    return Company(_hertz(_mean(low)), _hertz(_mean(high)))


def _utterances(heard: Frames, span: Span) -> list[_Utterance]:
    pieces = max(1, round(span.seconds / PIECE))
    edges = np.linspace(span.start / HOP, span.end / HOP, pieces + 1).astype(int)
    told = (_utterance(heard, slice(first, last)) for first, last in pairwise(edges))
    return [utterance for utterance in told if utterance is not None]


def _utterance(heard: Frames, part: slice) -> _Utterance | None:
    voiced = heard.voicing[part] > VOICED
    if voiced.sum() < 10:
        return None
    pitch = 12 * np.log2(heard.pitch_hz[part][voiced] / 100)
    bands = heard.bands_db[part][voiced].mean(axis=0)
    return _Utterance(float(np.median(pitch)), float(voiced.sum() * HOP), bands - bands.mean())


def _seconds(part: Sequence[_Utterance]) -> float:
    return sum(one.seconds for one in part)


def _mean(part: Sequence[_Utterance]) -> float:
    return sum(one.semitones * one.seconds for one in part) / _seconds(part)


def _spread(part: Sequence[_Utterance]) -> float:
    mean = _mean(part)
    return sum(one.seconds * (one.semitones - mean) ** 2 for one in part)


def _timbre(low: Sequence[_Utterance], high: Sequence[_Utterance]) -> float:
    first, second = (sum(one.timbre * one.seconds for one in part) / _seconds(part) for part in (low, high))
    return float(np.sqrt(np.mean(np.square(first - second))))


def _hertz(semitones: float) -> float:
    return float(100 * 2 ** (semitones / 12))
