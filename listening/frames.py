"""Sound cut into short frames: how loud each is, whether it is voiced, and at which pitch.

Sums over one recording that several listeners need, computed block by block so that ten minutes take no
more memory than one. Knows neither speech nor voices; what the numbers mean is its callers' business.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from basics.audio import SILENT_DB, Samples
from listening.resampling import resampled

RATE = 16_000
HOP = 0.01
"""Seconds from one frame to the next."""
SIZE = 640
"""Samples of a frame: 40 ms, two periods of the lowest voice."""
BANDS = 24
LOWEST_HZ, HIGHEST_HZ = 60.0, 420.0
BLOCK = 512

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """One entry a frame, `HOP` seconds apart; the first is centred on the first sample."""

    level_db: Row
    """Power between 80 Hz and 5 kHz, where speech is."""
    voicing: Row
    """0 for noise to 1 for a perfectly periodic frame."""
    pitch_hz: Row
    """Of the best period, whether or not the frame is voiced."""
    bands_db: NDArray[np.float32]
    """Power in `BANDS` bands as wide as the ear's, one row a frame."""

    def __len__(self) -> int:
        return len(self.level_db)


def frames(samples: Samples, rate: int) -> Frames:
    heard = resampled(samples, rate, RATE)
    blocks = [_measure(block) for block in _blocks(heard)]
    level, voicing, pitch, bands = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return Frames(level, voicing, pitch, bands)


def _blocks(heard: Samples) -> Iterator[NDArray[np.float32]]:
    hop = round(HOP * RATE)
    padded = np.pad(heard, (SIZE // 2, SIZE))
    views = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[: max(1, len(heard)) : hop]
    for start in range(0, len(views), BLOCK):
        yield views[start : start + BLOCK]


_WINDOW = np.hanning(SIZE).astype(np.float32)
_BINS_HZ = np.fft.rfftfreq(2 * SIZE, 1 / RATE)
_SPEECH = ((_BINS_HZ >= 80) & (_BINS_HZ <= 5000)).astype(np.float32)
_VOICE = ((_BINS_HZ >= 50) & (_BINS_HZ <= 1200)).astype(np.float32)


def _filters() -> NDArray[np.float32]:
    """Triangles, evenly spaced on the mel scale from 80 Hz to 7.5 kHz."""
    mel = np.linspace(2595 * np.log10(1 + 80 / 700), 2595 * np.log10(1 + 7500 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (_BINS_HZ - low) / (centre - low), (high - _BINS_HZ) / (high - centre)
    return np.clip(np.minimum(rise, fall), 0, None).astype(np.float32)


_FILTERS = _filters()
_OWN = np.fft.irfft(np.square(np.abs(np.fft.rfft(_WINDOW, 2 * SIZE)))).astype(np.float32)
"""The window's own autocorrelation, divided out so that long periods are not held back."""


def _measure(block: NDArray[np.float32]) -> tuple[Row, Row, Row, NDArray[np.float32]]:
    power = np.square(np.abs(np.fft.rfft(block * _WINDOW, 2 * SIZE))).astype(np.float32)
    scale = np.float32(2 / (SIZE * np.square(_WINDOW).sum()))
    voicing, pitch = _period(power)
    return _db(power @ _SPEECH * scale), voicing, pitch, _db(power @ _FILTERS.T * scale)


def _period(power: NDArray[np.float32]) -> tuple[Row, Row]:
    """The shortest period that is nearly as good as the best one: longer ones are its multiples."""
    likeness = np.fft.irfft(power * _VOICE)[:, : SIZE // 2].astype(np.float32)
    shortest, longest = int(RATE / HIGHEST_HZ), int(RATE / LOWEST_HZ)
    whole = np.maximum(likeness[:, :1], 1e-12)
    lags = np.clip(likeness[:, shortest:longest] / whole * (_OWN[0] / _OWN[shortest:longest]), 0, 1)
    peaks = np.zeros_like(lags, bool)
    peaks[:, 1:-1] = (lags[:, 1:-1] >= lags[:, :-2]) & (lags[:, 1:-1] > lags[:, 2:])
    best = np.where(peaks, lags, 0).max(axis=1)
    first = np.argmax(peaks & (lags >= 0.9 * best[:, None]), axis=1)
    return best.astype(np.float32), (RATE / (shortest + first)).astype(np.float32)


def _db(power: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (SILENT_DB / 10))), np.float32)
