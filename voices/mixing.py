"""From any number of channels to one, without losing a voice that only one of them holds."""

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples

QUIET = 1e-3
"""Of the loudest channel's power: what is below holds nobody."""
CANCELLED = 0.25
"""Of the loudest channel's power: a mix below has lost the voice to opposite phases."""


def shares(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each row goes into the mix, judged by the rows at hand."""
    count = len(channels)
    powers = np.mean(np.square(channels), axis=1) if channels.size else np.zeros(count, np.float32)
    loudest = int(np.argmax(powers))
    heard = (powers >= QUIET * powers[loudest]).astype(np.float32)
    even = heard / heard.sum()
    if np.mean(np.square(_mixed(even, channels))) >= CANCELLED * powers[loudest] / max(1.0, float(heard.sum())):
        return np.asarray(even, np.float32)
    only = np.zeros(count, np.float32)
    only[loudest] = 1
    return only


class Mixer:
    """Judges the first seconds and keeps to that, so that the mix does not wander."""

    def __init__(self, channels: int, judged: int) -> None:
        self._channels, self._judged = channels, judged
        self._waiting: list[NDArray[np.float32]] = []
        self._waited = 0
        self._shares: NDArray[np.float32] | None = np.ones(1, np.float32) if channels == 1 else None

    def mix(self, block: NDArray[np.float32]) -> Samples:
        if self._shares is not None:
            return _mixed(self._shares, block)
        self._waiting.append(block)
        self._waited += block.shape[1]
        return self.rest() if self._waited >= self._judged else np.zeros(0, np.float32)

    def rest(self) -> Samples:
        """What was held back for judging."""
        if self._shares is not None or not self._waiting:
            return np.zeros(0, np.float32)
        whole = np.concatenate(self._waiting, axis=1)
        self._waiting.clear()
        self._shares = shares(whole)
        return _mixed(self._shares, whole)


def _mixed(shares: NDArray[np.float32], channels: NDArray[np.float32]) -> Samples:
    # Row by row: a product of one row with a tall matrix starts threads that cost ten times the sum.
    mixed = np.zeros(channels.shape[1], np.float32)
    for share, row in zip(shares, channels, strict=True):
        if share:
            mixed += share * row
    return mixed
