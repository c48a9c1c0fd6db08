"""A programme with a watermark in it, block by block: each is marked together with the sound around it.

Blocks begin on a grid that every mark's own frames fall on, so they join as if all had been marked at once.
"""

from collections.abc import Callable

import numpy as np

from basics.audio import Samples, join
from models.watermark import MARGIN_SECONDS, Watermark

BLOCK_SECONDS = 20.0


class Marking:
    """As many samples come out as went in, up to a block later."""

    def __init__(self, load: Callable[[], Watermark], rate: int) -> None:
        """`load` is called with the first sound: it may take seconds."""
        self._load, self._rate = load, rate
        self._block, self._margin = round(BLOCK_SECONDS * rate), round(MARGIN_SECONDS * rate)
        self._held: Samples = np.zeros(0, np.float32)
        self._before = 0
        """Of what is held, samples that were given and are there to be heard with the next."""

    def feed(self, samples: Samples) -> Samples:
        self._held = np.concatenate([self._held, samples])
        given = []
        while self._held.size - self._before >= self._block + self._margin:
            given.append(self._take(self._block, self._margin))
        return join(given)

    def finish(self) -> Samples:
        rest = self._held.size - self._before
        return self._take(rest, 0) if rest else self._held[:0]

    def _take(self, size: int, after: int) -> Samples:
        end = self._before + size
        marked = self._load().mark(self._held[: end + after], self._rate)[self._before : end]
        kept = max(0, end - self._margin)
        self._held, self._before = self._held[kept:], end - kept
        return marked.astype(np.float32)
