"""A whole file's loudness: everything is heard once, then given out with one gain.

The sound waits as it was mastered, on disk above some megabytes, in a file that nobody else can see. Where
peaks stand in the way of the loudness asked for, the limiter takes them, and its gain is found by trying.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from basics.audio import SILENT_DB, Samples, from_db
from speech.limiter import CEILING_DB, MARGIN_DB, Limiter
from speech.loudness import HIGHEST_GAIN_DB, Loudness, Meter

IN_MEMORY_BYTES = 16 * 2**20
CHUNK_SAMPLES = 2**16
CLOSE_LU, NEAR_LU = 0.2, 0.3
"""Where a search ends, and what is near enough to try no quicker limiter."""
MOST_TRIALS = 6
UNHEARD = Loudness(SILENT_DB, SILENT_DB)
MOST_LIMITING_DB = 24.0
LEAST_SLOPE = 0.2
TOO_HIGH_LU = 100.0
METER_MARGIN_DB = 0.05
"""Other meters see peaks that much higher than ours."""
RELEASES = (0.04, 0.005, 0.0005)
"""Seconds. The quicker the louder, and the rougher: speech at -16 LUFS does with the first."""


class Programme:
    def __init__(self, rate: int, loudness: float | None) -> None:
        """`loudness`: LUFS. None leaves the sound as it is, but for peaks that would clip."""
        self._rate, self._target = rate, loudness
        self._meter = Meter(rate)
        self._check: Callable[[], None] = lambda: None
        self._spool = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  closed in `close`

    def feed(self, samples: Samples) -> None:
        self._meter.feed(samples)
        self._spool.write(np.ascontiguousarray(samples, np.float32).tobytes())

    def finish(self, check: Callable[[], None] = lambda: None) -> Iterator[Samples]:
        """The levelled sound, as many samples as were fed, in chunks. Nothing is taken in afterwards. Finding the
        gain may hear it all several times; `check` is called now and then and raises when nobody waits any more."""
        self._check = check
        heard = self._meter.finish()
        if self._target is None:
            return self._limited(Limiter(self._rate, ceiling_db=0.0)) if heard.true_peak_db > 0 else self._chunks()
        if heard.lufs <= SILENT_DB:
            return self._chunks()
        gain_db = min(HIGHEST_GAIN_DB, self._target - heard.lufs)
        if heard.true_peak_db + gain_db <= CEILING_DB:
            return self._amplified(gain_db)
        return self._limited(self._limiter(self._settle(gain_db, self._target)))

    def close(self) -> None:
        """Idempotent; what waited is gone."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self, least_db: float, target: float) -> "Trial":
        """What comes out as loud as asked, or nearest to it: with the slow release if that will do."""
        start, trials = Trial(least_db), list["Trial"]()
        for release_seconds in RELEASES:
            trials += self._search(replace(start, release_seconds=release_seconds), target, least_db)
            nearest = min(trials, key=lambda trial: trial.off(target))
            if nearest.off(target) <= NEAR_LU:
                break
            start = nearest
        return nearest

    def _search(self, start: "Trial", target: float, least_db: float) -> list["Trial"]:
        """The deeper into the limiter, the less a decibel of gain brings: each step goes by the slope of the last."""
        trials, slope, most_db = [self._heard(start)], 1.0, least_db + MOST_LIMITING_DB
        while len(trials) < MOST_TRIALS and not trials[-1].will_do(target) and trials[-1].may_go_on(most_db):
            before = trials[-1]
            trials.append(self._heard(before.next(target, slope, most_db)))
            slope = trials[-1].slope_from(before)
        return trials

    def _heard(self, trial: "Trial") -> "Trial":
        meter = Meter(self._rate)
        for samples in self._limited(self._limiter(trial)):
            meter.feed(samples)
        return replace(trial, heard=meter.finish())

    def _limiter(self, trial: "Trial") -> Limiter:
        return Limiter(self._rate, trial.gain_db, trial.ceiling_db, trial.release_seconds)

    def _limited(self, limiter: Limiter) -> Iterator[Samples]:
        for samples in self._chunks():
            yield limiter.feed(samples)
        yield limiter.finish()

    def _amplified(self, gain_db: float) -> Iterator[Samples]:
        gain = np.float32(from_db(gain_db))
        return (samples * gain for samples in self._chunks())

    def _chunks(self) -> Iterator[Samples]:
        self._spool.seek(0)
        while data := self._spool.read(CHUNK_SAMPLES * 4):
            self._check()
            yield np.frombuffer(data, np.float32)


@dataclass(frozen=True, slots=True)
class Trial:
    """A setting of the limiter, and how the programme came out of it."""

    gain_db: float
    release_seconds: float = RELEASES[0]
    ceiling_db: float = CEILING_DB - MARGIN_DB
    heard: Loudness = UNHEARD

    def off(self, target: float) -> float:
        """How far it is from what was asked; too high a peak is worse than any loudness."""
        return abs(target - self.heard.lufs) + (TOO_HIGH_LU if self._excess_db > 0 else 0.0)

    def will_do(self, target: float) -> bool:
        return self.off(target) <= CLOSE_LU

    def may_go_on(self, most_db: float) -> bool:
        return self.gain_db < most_db or self._excess_db > 0

    def next(self, target: float, slope: float, most_db: float) -> "Trial":
        lower_db = self._excess_db + METER_MARGIN_DB if self._excess_db > 0 else 0.0
        gain_db = min(most_db, self.gain_db + (target - self.heard.lufs) / slope)
        return replace(self, gain_db=gain_db, ceiling_db=self.ceiling_db - lower_db)

    def slope_from(self, before: "Trial") -> float:
        further = self.gain_db - before.gain_db
        return min(1.0, max(LEAST_SLOPE, (self.heard.lufs - before.heard.lufs) / further)) if further else 1.0

    @property
    def _excess_db(self) -> float:
        return self.heard.true_peak_db - (CEILING_DB - METER_MARGIN_DB)
