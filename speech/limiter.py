"""One gain, and a limiter that sees peaks coming: no true peak gets over the ceiling, no sample is lost.

Gain falls along a ramp of 2.5 ms that ends where the peak is, and comes back over some 40 ms. Below the ceiling
samples pass as they are. What comes out does not depend on how the sound was cut.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples, from_db
from speech.chain import Chain

CEILING_DB = -1.0
MARGIN_DB = 0.3
"""Kept below the ceiling: meters differ in what they see close to half the rate, where loud fricatives are."""
AHEAD_SECONDS = 0.0025
RELEASE_SECONDS = 0.04
HAIR = 1e-6
"""Under the ceiling: gains are rounded to single precision."""
OVERSAMPLING = 4
TAPS = 32
"""Of the oversampling filter at each place; BS.1770 has twelve."""
REACH = TAPS // 2 + 1
"""Samples to either side that have a say in what is told of one."""
HIGHER = 2.4
"""The sum of the filter's magnitudes is under that: between samples nothing is more times higher than all near it."""
APART = 256
"""Samples between two loud ones, from which on what lies between is not looked at."""

Gains = NDArray[np.float32]


class Limiter:
    """Gives as many samples as it takes, a little later: the look-ahead and the oversampling, under 5 ms."""

    def __init__(
        self,
        rate: int,
        gain_db: float = 0.0,
        ceiling_db: float = CEILING_DB - MARGIN_DB,
        release_seconds: float = RELEASE_SECONDS,
    ) -> None:
        self._gain = from_db(gain_db)
        self._ceiling = from_db(ceiling_db) * (1 - HAIR)
        self._ahead = max(1, round(rate * min(AHEAD_SECONDS, release_seconds)))
        self._decay = float(np.exp(-1 / (release_seconds * rate)))
        self._doublings = int(np.ceil(np.log2(8 * release_seconds * rate)))
        self._past = self._ahead + 2**self._doublings
        self._peaks = Peaks(rate, self._ceiling)
        self._waiting = np.zeros(0, np.float32)
        self._cuts: Gains = np.zeros(self._past, np.float32)
        """By how much each sample is over the ceiling, as a logarithm: of those that went out, and of those that wait.
        Ramps are straight in it, so that two neighbours never get gains far apart, however deep the cut."""

    def feed(self, samples: Samples) -> Samples:
        louder = _times(samples, self._gain)
        self._waiting = np.concatenate([self._waiting, louder])
        return self._give(self._asked(self._peaks.feed(louder)))

    def finish(self) -> Samples:
        return self._give(np.concatenate([self._asked(self._peaks.finish()), np.zeros(self._ahead, np.float32)]))

    def _asked(self, peaks: Samples) -> Gains:
        if peaks.size and peaks.max() <= self._ceiling:
            return np.zeros(peaks.size, np.float32)
        return np.asarray(np.log(np.maximum(peaks / self._ceiling, 1.0)), np.float32)

    def _give(self, cuts: Gains) -> Samples:
        self._cuts = np.concatenate([self._cuts, cuts])
        count = max(0, self._cuts.size - self._past - self._ahead)
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        given = _times(ready, np.exp(-self._smooth(count))) if self._cuts.any() else ready
        self._cuts = self._cuts[count:]
        return given

    def _smooth(self, count: int) -> Gains:
        """Never less than asked: the highest ahead, let go slowly, then averaged over as long as it looks ahead."""
        held = _highest_ahead(self._cuts, self._ahead)
        for doubling in range(self._doublings):
            shift = 2**doubling
            held[shift:] = np.maximum(held[shift:], held[:-shift] * np.float32(self._decay**shift))
        width = self._ahead + 1
        return _sums(held[self._past - self._ahead :][: count + self._ahead], width) / np.float32(width)


class Peaks:
    """For each sample the highest value on the way to its neighbours, at four times the rate.

    Where nothing near is loud enough to get over `least`, that is not looked for: the sample itself is told.
    """

    def __init__(self, rate: int, least: float = 0.0) -> None:
        self._chain = Chain.resampler(rate, OVERSAMPLING * rate, TAPS)
        self._loud = least / HIGHER
        self._heard = np.zeros(0, np.float32)
        """What waits, and before it as much as the filter hears of what was told."""
        self._told = 0
        """Of `_heard`."""
        self._held = 0
        """Samples that the filter holds back."""

    def feed(self, samples: Samples) -> Samples:
        self._heard = np.concatenate([self._heard, samples])
        end = self._heard.size - TAPS // 2
        if end <= (self._told or TAPS // 2):
            return np.zeros(0, np.float32)
        peaks = self._peaks(self._worth_a_look(end), end, self._chain.feed)
        kept = max(0, end - TAPS)
        self._heard, self._told = self._heard[kept:], end - kept
        return peaks

    def finish(self) -> Samples:
        end = self._heard.size
        runs = [(first, end) for first, _ in self._worth_a_look(end)[:1]]
        rest = np.zeros(2 * TAPS * OVERSAMPLING, np.float32)  # of a sound shorter than the filter little comes out
        chain = self._chain
        return self._peaks(runs, end, lambda samples: np.concatenate([chain.feed(samples), chain.finish(), rest]))

    def _worth_a_look(self, end: int) -> list[tuple[int, int]]:
        """From where to where, of what is to be told up to `end`."""
        loud = np.flatnonzero(np.abs(self._heard) > self._loud)
        if not self._told:
            loud = np.union1d(0, loud)  # The filter mirrors its own beginning, which must be the sound's.
        if not loud.size:
            return []
        gaps = np.flatnonzero(np.diff(loud) > APART)
        firsts = np.maximum(loud[np.append(0, gaps + 1)] - REACH, self._told).tolist()
        lasts = np.minimum(loud[np.append(gaps, -1)] + REACH + 1, end).tolist()
        return [(first, last) for first, last in zip(firsts, lasts, strict=True) if first < last]

    def _peaks(self, runs: list[tuple[int, int]], end: int, through: Callable[[Samples], Samples]) -> Samples:
        """All go through one filter, one after the other, each with what comes before it, so that it hears no other."""
        peaks = np.abs(self._heard[self._told : end])
        if not runs:
            return peaks
        froms = [max(0, first - TAPS) for first, _ in runs]
        parts = [self._heard[at : last + TAPS // 2] for at, (_, last) in zip(froms, runs, strict=True)]
        highest, place = _highest_of_four(np.abs(through(np.concatenate(parts)))), self._held
        for at, part, (first, last) in zip(froms, parts, runs, strict=True):
            around = highest[place + max(0, first - 1) - at : place + last - at]
            if not first:
                around = np.concatenate([np.zeros(1, np.float32), around])
            own = peaks[first - self._told : last - self._told]
            np.maximum(own, np.maximum(around[:-1], around[1:]), out=own)
            place += part.size
        self._held = TAPS // 2
        return peaks


def _highest_of_four(dense: Samples) -> Samples:
    # Four slices: a maximum along a row of four costs several times as much.
    first, second, third, fourth = (dense[at::OVERSAMPLING] for at in range(OVERSAMPLING))
    return np.maximum(np.maximum(first, second), np.maximum(third, fourth))


def _highest_ahead(values: Gains, ahead: int) -> Gains:
    """At each place the highest of it and the `ahead` places after."""
    highest, reach = values.copy(), 1
    while reach < ahead + 1:
        step = min(reach, ahead + 1 - reach)
        highest[:-step] = np.maximum(highest[:-step], highest[step:])
        reach += step
    return highest


def _sums(values: Gains, width: int) -> Gains:
    """Of each `width` neighbours, in the same order wherever they are: windows that double, joined as bits say."""
    total, at = np.zeros(values.size - width + 1, np.float32), 0
    window, size = values, 1
    while size <= width:
        if width & size:
            total += window[at : at + total.size]
            at += size
        window, size = window[:-size] + window[size:], 2 * size
    return total


def _times(samples: Samples, gain: float | Gains) -> Samples:
    return np.asarray(samples * gain, np.float32)
