"""A voice as a value. Engines turn it into what they condition on; nobody keeps it as hidden state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples
from basics.events import Word
from listening.activity import Span

Kind = Literal["preset", "library", "inline", "blend", "design"]


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    id: str
    kind: Kind
    digest: str
    """What conditioning is keyed by, beside the engine and its weights' revision."""
    language: str = ""
    transcript: str = ""
    samples: Samples | None = None
    """The cleaned reference, float32 mono. An engine hears it as `voices.fitting` cuts it for that engine."""
    rate: int = 0
    spans: tuple[Span, ...] = ()
    """Where in it somebody speaks."""
    words: tuple[Word, ...] = ()
    """The transcript's, with their times in it, where those are known."""
    conditionals: Mapping[str, NDArray[np.generic]] | None = None
    """What Chatterbox conditions on, from a file of its own, in place of a recording."""
    parts: tuple[tuple["Voice", float], ...] = ()
    """Of a blend: voices and their shares, which add up to one."""
    description: str = ""
    """Of a design: how it should sound."""
    weights: str = ""
    """A fine-tuned checkpoint to speak with, where the voice names one."""

    @property
    def seconds(self) -> float:
        """Of the reference."""
        return len(self.samples) / self.rate if self.samples is not None and self.rate else 0.0
