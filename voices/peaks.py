"""Where samples stand, counted: a recording that was driven too hard piles them up at its top.

Counted before anything is resampled or mixed, since both smear the flat tops. The top is looked for below the
peak, not at full scale: what was clipped and turned down, or smeared by a codec, is clipped all the same.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 4096
"""Between zero and full scale."""
HIGHEST = 4 * BINS
"""What codecs make of a clipped sound goes over full scale. What goes over this is no sound but numbers."""
STEPS = 64
"""Steps from zero to the recording's peak in which the pile is looked for."""
PILED = 1.5
"""How much fuller a step may be than the emptiest of those just below it: by itself sound thins out."""
REACH = 6
LOWEST_STEP = 16
COUNTED_A_SECOND = 96_000
"""Of more samples than two channels have, only as many are counted, evenly spread."""
COARSE = 4 * STEPS
"""Values in the upper half below which steps stand empty by themselves: eight bits, A-law."""
FAINT = 0.02
"""A recording whose peak is lower has no top to speak of."""


class Peaks:
    def __init__(self) -> None:
        self._counts = np.zeros(HIGHEST + 1, np.int64)

    def add(self, block: NDArray[np.float32], rate: int) -> None:
        block = block[:, :: max(1, len(block) * rate // COUNTED_A_SECOND)]
        places = np.minimum(np.abs(block) * BINS, HIGHEST).astype(np.int16)
        self._counts += np.bincount(places.reshape(-1), minlength=HIGHEST + 1)

    def share(self) -> float:
        """Share of samples in the pile and above it; zero where the top thins out as sound does by itself."""
        total, filled = int(self._counts.sum()), np.flatnonzero(self._counts)
        if not filled.size or filled[-1] < FAINT * BINS or filled[-1] == HIGHEST:
            return 0.0
        if len(filled) - np.searchsorted(filled, filled[-1] // 2) < COARSE:
            return self._coarse(filled) / total
        edges = np.linspace(0, filled[-1] + 1, STEPS + 1).round().astype(int)
        steps = np.diff(np.concatenate([[0], np.cumsum(self._counts)])[edges])
        piled = _pile(steps)
        return float(steps[piled:].sum() / total) if piled else 0.0

    def _coarse(self, filled: NDArray[np.intp]) -> int:
        """Of a telephone's few values only the last one can hold a pile."""
        last, *others = self._counts[filled[:-5:-1]].tolist()
        return int(last) if others and last > 4 * max(others) and last >= 20 else 0


def _pile(steps: NDArray[np.int64]) -> int:
    """The step below the first rise that chance does not explain, or 0."""
    for at in range(LOWEST_STEP, len(steps)):
        below = at - REACH + int(np.argmin(steps[at - REACH : at]))
        few, many = int(steps[below]), int(steps[at])
        if many > PILED * few and many - few > 6 * np.sqrt(few + 4):
            return below + 1
    return 0
