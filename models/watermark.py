"""A watermark: a mark in the sound itself that a detector finds and nobody hears. Engines name the one they use.

It is put into whole files, block by block; it knows no file.
"""

from typing import Protocol

from basics.audio import Samples

MARGIN_SECONDS = 0.5
"""Of sound around a block that is marked with it, so that blocks join without a seam."""


class Watermark(Protocol):
    def mark(self, samples: Samples, rate: int) -> Samples:
        """As many samples. What is further off than the margin changes nothing."""
        ...

    def found(self, samples: Samples, rate: int) -> float:
        """From 0, no trace, to 1, certain."""
        ...
