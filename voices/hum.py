"""Mains hum: found where it is, taken out as the few sinusoids that it is, and otherwise not touched.

A hum stands still while a voice moves: it is what remains of the spectrum in the quietest quarter of a
recording's seconds. Each partial is fitted over two seconds and subtracted, so that a voice passing through
the same frequency keeps nearly all of itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples
from listening.resampling import resampled

MAINS = (50, 60)
PARTIALS = 20
STANDS_OUT = 8.0
"""Times (9 dB) the power beside it that a partial must have even when nobody speaks."""
AUDIBLE = 1e-4
"""Amplitude (-80 dBFS) below which nobody hears it."""
FIT_SECONDS = 2.0
DRIFT_HZ = 0.5
LOW_RATE = 4_000


@dataclass(frozen=True, slots=True)
class Hum:
    mains: int
    hertz: tuple[float, ...]
    """Of its partials, as they are, not as they should be."""
    amplitude: float


def find(samples: Samples, rate: int) -> Hum | None:
    if len(samples) < 1.5 * rate:
        return None
    spectrum, step = _standing(samples, rate)
    found = [_partials(spectrum, step, mains) for mains in MAINS]
    best = max(found, key=lambda hum: hum.amplitude)
    # One partial may be a note; of two families that share partials, the one with more of them is the mains.
    return best if len(best.hertz) >= 2 and best.amplitude >= AUDIBLE else None


def _standing(samples: Samples, rate: int) -> tuple[NDArray[np.float64], float]:
    """Power at each frequency in the quietest quarter of all seconds, and the hertz between two entries."""
    size, hop = rate, rate // 2
    views = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    views = views[:: max(1, len(views) // 120)]
    window = np.hanning(size).astype(np.float32)
    bins = int(PARTIALS * max(MAINS) * 1.1) * 4
    rows = [np.square(np.abs(np.fft.rfft(view * window, 4 * size)[:bins])) for view in views]
    return np.quantile(rows, 0.25, axis=0) * (4 / np.square(window.sum())), rate / (4 * size)


def _partials(spectrum: NDArray[np.float64], step: float, mains: int) -> Hum:
    hertz, power = [], 0.0
    for number in range(1, PARTIALS + 1):
        at = _near(spectrum, step, number * mains, DRIFT_HZ)
        peak = at.start + int(np.argmax(spectrum[at]))
        beside = np.concatenate(
            [spectrum[_near(spectrum, step, number * mains + side, 3)] for side in (-8, 8) if number * mains > 20]
        )
        if beside.size and spectrum[peak] > STANDS_OUT * np.quantile(beside, 0.75) and spectrum[peak] > AUDIBLE**2 / 4:
            hertz.append((peak + _between(spectrum, peak)) * step)
            power += float(spectrum[peak])
    return Hum(mains, tuple(hertz), float(np.sqrt(power)))


def _between(spectrum: NDArray[np.float64], peak: int) -> float:
    """How far from the entry the peak itself lies, by the parabola through it and its neighbours."""
    if not 0 < peak < len(spectrum) - 1:
        return 0.0
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2])
    return float(0.5 * (left - right) / min(left - 2 * middle + right, -1e-9))


def _near(spectrum: NDArray[np.float64], step: float, hertz: float, width: float) -> slice:
    return slice(max(0, round((hertz - width) / step)), min(len(spectrum), round((hertz + width) / step) + 1))


def without(samples: Samples, rate: int, hum: Hum) -> Samples:
    """Twice: while the hum is there, no part of the recording looks quiet."""
    return _once(_once(samples, rate, hum), rate, hum)


def _once(samples: Samples, rate: int, hum: Hum) -> Samples:
    """Fitted at a low rate, where the hum is, and where it is quiet: a voice would pull the fit to itself."""
    low = resampled(samples, rate, LOW_RATE)
    size, low_size = (round(min(FIT_SECONDS, len(low) / LOW_RATE) * at) for at in (rate, LOW_RATE))
    size = min(size, len(samples))
    low_size = min(low_size, len(low))
    starts = _starts(len(samples), size)
    fade = np.hanning(size + 2)[1:-1].astype(np.float32) + np.float32(1e-4)
    weight = np.zeros(len(samples), np.float32)
    for start in starts:
        weight[start : start + size] += fade
    trust = _trust(low)
    low_waves, waves = _waves(low_size, LOW_RATE, hum), _waves(size, rate, hum)
    left = samples.copy()
    for start in starts:
        at = min(round(start / rate * LOW_RATE), len(low) - low_size)
        # Where both rates agree on the time: `at` is rounded to a sample of the low rate.
        fitted = _fit(low_waves, low[at : at + low_size], trust[at : at + low_size])
        shift = _turned(fitted, start / rate - at / LOW_RATE, hum)
        left[start : start + size] -= (waves @ shift) * fade / weight[start : start + size]
    return left


def _starts(count: int, size: int) -> list[int]:
    return [*range(0, count - size, max(1, size // 2)), count - size]


def _trust(low: Samples) -> Samples:
    """High where it is quiet, within a twentieth of a second."""
    width = LOW_RATE // 20
    power = np.convolve(np.square(low), np.full(width, 1 / width, np.float32), "same")
    return np.asarray(1 / (power + 1e-3 * power.mean() + 1e-12), np.float32)


def _fit(waves: NDArray[np.float32], part: Samples, trust: Samples) -> NDArray[np.float32]:
    weighted = waves * trust[:, None]
    return np.asarray(np.linalg.lstsq(weighted.T @ waves, weighted.T @ part, rcond=1e-6)[0], np.float32)


def _turned(fitted: NDArray[np.float32], seconds: float, hum: Hum) -> NDArray[np.float32]:
    """The same waves as heard from a later beginning."""
    sine, cosine = np.split(fitted, 2)
    angle = 2 * np.pi * seconds * np.asarray(hum.hertz)
    return np.concatenate(
        [sine * np.cos(angle) - cosine * np.sin(angle), sine * np.sin(angle) + cosine * np.cos(angle)]
    ).astype(np.float32)


def _waves(size: int, rate: int, hum: Hum) -> NDArray[np.float32]:
    """Sine and cosine of each partial; the phase is fitted anew in each part."""
    angle = 2 * np.pi * np.outer(np.arange(size) / rate, hum.hertz)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
