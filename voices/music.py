"""How much of a recording holds steady tones, as music does and speech does not.

A voice's overtones glide; an instrument's stay on their note. So what is counted is frames in which at least
two overtones above 400 Hz have stood still for a third of a second. It finds chords and melodies, also softly
below a voice; it does not find drums, nor a singer without accompaniment, and says nothing of which music it is.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples
from listening.resampling import resampled

RATE = 16_000
SIZE = 2048
HOP = 512
BLOCK = 512
"""Frames looked at together."""
LOWEST_HZ, HIGHEST_HZ = 400, 4000
STANDS_OUT = 6.0
"""Times the median power around it that a partial must have: 8 dB."""
AUDIBLE_DB = -65.0
"""Relative to the loudest frame's partials."""
FRAMES = 11
"""A third of a second."""
AROUND = 15
"""Bins on either side against which a partial must stand out: 120 Hz."""
WHOLE = 0.9
"""Share of all frames: what stands that long is a whistle of the equipment, and no melody."""


def steady_share(samples: Samples, rate: int) -> float:
    """Share of frames, from 0 to 1."""
    heard = resampled(samples, rate, RATE)
    if len(heard) < SIZE + FRAMES * HOP:
        return 0.0
    powers = [_power(views) for views in _blocks(heard)]
    floor = max(float(power.max()) for power in powers) * 10 ** (AUDIBLE_DB / 10)
    steady = _steady(np.concatenate([_partials(power, floor) for power in powers]))
    return float((steady.sum(axis=1) >= 2).mean()) if steady.size else 0.0


def _blocks(heard: Samples) -> Iterator[NDArray[np.float32]]:
    views = np.lib.stride_tricks.sliding_window_view(heard, SIZE)[::HOP]
    for at in range(0, len(views), BLOCK):
        yield views[at : at + BLOCK]


def _power(views: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = LOWEST_HZ * SIZE // RATE - AROUND, HIGHEST_HZ * SIZE // RATE + AROUND
    return np.square(np.abs(np.fft.rfft(views * _WINDOW)[:, low:high])).astype(np.float32)


_WINDOW = np.hanning(SIZE).astype(np.float32)


def _partials(power: NDArray[np.float32], floor: float) -> NDArray[np.bool_]:
    """Which bins of which frames hold a narrow peak."""
    width = power.shape[1]
    inner = power[:, AROUND:-AROUND]
    beside = [power[:, AROUND + side : width - AROUND + side] for side in (-12, -9, -6, 6, 9, 12)]
    around = np.sort(np.stack(beside), axis=0)[2:4].mean(axis=0)
    left, right = power[:, AROUND - 1 : -AROUND - 1], power[:, AROUND + 1 : width - AROUND + 1]
    return np.asarray((inner > left) & (inner >= right) & (inner > STANDS_OUT * around) & (inner > floor), np.bool_)


def _steady(partials: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a partial has stood on its bin, or the one beside it, for `FRAMES` frames in a row."""
    if len(partials) < FRAMES:
        return np.zeros((0, 0), np.bool_)
    near = partials.copy()
    near[:, 1:] |= partials[:, :-1]
    counts = np.cumsum(np.pad(near, ((1, 0), (0, 0))), axis=0, dtype=np.int32)
    full = counts[FRAMES:] - counts[:-FRAMES] == FRAMES
    full &= partials[FRAMES - 1 :]
    return np.asarray(full[:, full.mean(axis=0) < WHOLE], np.bool_)
