"""Can the borders of a stream's chunks be told from its other places? A small classifier is trained to do so.

Places are short stretches of sound, seen as spectra; half of the lines teach it, it judges the other half. An area of
0.5 under its curve is a coin's. So that a coin is not just a poor judge, it must find borders that were spoilt on
purpose. Knows no engine: it takes sound and where the borders are.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples

WINDOW, HOP, LOOKS = 512, 128, 13
"""Samples of a spectrum, between two of them, and how many a place has: 85 ms at 24 kHz."""
BANDS = 24
STIFFNESS = 30.0
REACH = (LOOKS // 2) * HOP + WINDOW // 2

Line = tuple[Samples, Sequence[int]]
"""A stream's sound, and the samples at which its chunks meet."""


def area(
    lines: Sequence[Line], seed: int = 0, spoil: Callable[[Samples, int], Samples] | None = None, grid: int = HOP
) -> float:
    """Under the curve: the chance that a border looks more like one than another place. `spoil` damages borders; other
    places stand to borders in multiples of `grid`, since what is made of frames shows where frames begin."""
    dice = np.random.default_rng(seed)
    seen = [_places(sound, borders, dice, spoil, grid) for sound, borders in lines]
    learnt, judged = seen[::2], seen[1::2]
    score = _trained(*(np.concatenate([each[kind] for each in learnt]) for kind in (0, 1)))
    ours, others = (score(np.concatenate([each[kind] for each in judged])) for kind in (0, 1))
    return float((ours[:, None] > others).mean() + (ours[:, None] == others).mean() / 2)


def missing(samples: Samples, at: int) -> Samples:
    """2 ms fall out: chunks that do not go on where the last one stopped."""
    return np.concatenate([samples[: at - 24], samples[at + 24 :]])


def louder(samples: Samples, at: int) -> Samples:
    """A step of 2 dB."""
    made = samples.copy()
    made[at:] *= np.float32(10 ** (2 / 20))
    return made


def _places(
    sound: Samples,
    borders: Sequence[int],
    dice: np.random.Generator,
    spoil: Callable[[Samples, int], Samples] | None,
    grid: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What borders look like, and as many other places, none of them near a border."""
    room = 2 * REACH
    inside = [at for at in borders if room <= at < len(sound) - room]
    first = room + (borders[0] - room) % grid
    free = [at for at in range(first, len(sound) - room, grid) if all(abs(at - border) > room for border in borders)]
    others: Sequence[int] = [int(at) for at in dice.permutation(free)[: 3 * len(inside)]]
    ours = [
        _look(sound[at - room : at + room] if spoil is None else spoil(sound[at - room : at + room], room))
        for at in inside
    ]
    return np.array(ours), np.array([_look(sound[at - room : at + room]) for at in others])


def _look(around: Samples) -> NDArray[np.float64]:
    """Loudness by band and time, each band less its mean, and how suddenly all of them change."""
    middle = len(around) // 2
    starts = middle + (np.arange(LOOKS) - LOOKS // 2) * HOP - WINDOW // 2
    frames = np.stack([around[at : at + WINDOW] for at in starts]) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames.astype(np.float64))) ** 2
    edges = np.unique(np.geomspace(2, WINDOW // 2, BANDS + 1).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-8)
    change = np.abs(np.diff(bands, axis=0)).mean(axis=1)
    return np.concatenate([(bands - bands.mean(axis=0)).ravel(), change, bands[:, -4:].max(axis=0)])


def _trained(
    ours: NDArray[np.float64], others: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """A line through what was seen, by least squares, both kinds weighing the same."""
    seen = np.concatenate([ours, others])
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-9
    x = (seen - middle) / spread
    wanted = np.concatenate([np.ones(len(ours)), -np.ones(len(others))])
    weight = np.where(wanted > 0, 1 / len(ours), 1 / len(others)) * len(seen) / 2
    leans = np.linalg.solve(x.T @ (x * weight[:, None]) + STIFFNESS * np.eye(x.shape[1]), x.T @ (weight * wanted))
    return lambda places: (places - middle) / spread @ leans
