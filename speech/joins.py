"""Where lines meet: an exact pause, and edges that fade so that nothing clicks.

Five milliseconds at each edge; the samples of a line are never more or fewer for it.
"""

import numpy as np

from basics.audio import Samples, join, silence

FADE_SECONDS = 0.005


class Joins:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        length = max(1, round(rate * FADE_SECONDS))
        self._rise = ((1 - np.cos(np.pi * (np.arange(length) + 0.5) / length)) / 2).astype(np.float32)
        self._pause = self._held = np.zeros(0, np.float32)
        self._spoken = 0

    def begin(self, pause_seconds: float) -> None:
        """The pause comes out with whatever is given next."""
        self._pause, self._spoken = join([self._pause, silence(pause_seconds, self._rate)]), 0

    def feed(self, samples: Samples) -> Samples:
        """All but the last five milliseconds, which may turn out to be the line's edge."""
        waiting = join([self._held, self._risen(samples)])
        ready = max(0, waiting.size - self._rise.size)
        self._held = waiting[ready:]
        return join([self._take_pause(), waiting[:ready]])

    def end(self) -> Samples:
        edge, self._held = self._held, np.zeros(0, np.float32)
        fall = self._rise[: edge.size][::-1]
        return join([self._take_pause(), edge * fall])

    def _take_pause(self) -> Samples:
        pause, self._pause = self._pause, np.zeros(0, np.float32)
        return pause

    def _risen(self, samples: Samples) -> Samples:
        rise = self._rise[self._spoken : self._spoken + samples.size]
        self._spoken += samples.size
        if not rise.size:
            return samples
        return join([samples[: rise.size] * rise, samples[rise.size :]])
