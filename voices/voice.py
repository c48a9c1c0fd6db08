"""A voice as a value. Engines turn it into what they condition on; nobody keeps it as hidden state."""

from dataclasses import dataclass
from typing import Literal

from basics.audio import Samples

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
    """The cleaned reference, float32 mono."""
    rate: int = 0
    parts: tuple[tuple["Voice", float], ...] = ()
    """Of a blend: voices and their shares, which add up to one."""
    description: str = ""
    """Of a design: how it should sound."""
    weights: str = ""
    """A fine-tuned checkpoint to speak with, where the voice names one."""
