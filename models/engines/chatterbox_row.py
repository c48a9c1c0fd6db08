"""A row: one line's way from speech tokens to sound, as far as it has come. A plain holder that computes nothing.

Tokens are added while they keep coming; `offer` says how many of them `Sound.flow` takes now, `frames` how many
frames `Sound.vocode` does. Nothing in it is shared with another row, so rows may be computed in any company.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from models.engines.chatterbox_noise import Noise

Tensor = Any

VALID = 6561
"""Speech tokens are below; what T3 emits above are its own signs."""
FRAMES = 2
"""Of the spectrum, for each token."""
AHEAD = 3
"""Tokens that must follow a chunk: the encoder's first layer looks so far ahead."""
RAMP = (8, 16, 32)
"""Tokens of the first chunks, at the least; later ones are as long as the last."""
HELD_FRAMES = 1
"""Of a chunk's end, kept back to be faded into the next one."""


@dataclass(frozen=True, slots=True)
class Knobs:
    steps: int | None = None
    """From noise to a spectrum; the network's own number where not given: 10, of Turbo 2."""
    guidance: float = 0.7
    """How far to lean away from what the network draws without tokens and voice. Turbo has none."""
    whole: bool = False
    """Wait for the last token and make the line's spectrum in one pass, as upstream does."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A voice on the device."""

    tokens: Tensor
    """(n,)"""
    mel: Tensor
    """(80, 2n)"""
    speaker: Tensor
    """(80,), projected."""
    noise: Tensor
    """(80, 2n)"""


@dataclass(slots=True, eq=False)
class Row:
    prompt: Prompt
    steps: int
    guidance: float
    whole: bool
    noise: Noise
    """Of the spectrum."""
    hiss: Noise
    """Of the voice's source."""
    phases: Tensor
    """(harmonics,) where each harmonic of the source begins, in radians."""
    turns: Tensor
    """(harmonics,) float64: where each has come to at `voiced`, in turns."""
    mel: Tensor
    """(80, frames) from frame `first` on: what is final and still looked at, then a first guess of what follows."""
    source: Tensor
    """(samples,) that ends at frame `voiced`: as much as the vocoder looks back."""
    over_now: Tensor
    """(samples,) of the frames held back, to be faded into the next chunk."""
    tokens: list[int] = field(default_factory=list)
    surplus: int = 0
    """Tokens at the end that are drawn and not heard."""
    last: bool = False
    """No more tokens come."""
    done: int = 0
    """Tokens whose frames are final."""
    first: int = 0
    voiced: int = 0
    """Frames given to the vocoder."""
    chunks: int = 0

    def add(self, tokens: Sequence[int], last: bool = False) -> None:
        """More tokens of the line. Those that are no speech are dropped; after the last, none may come."""
        if self.last:
            raise ValueError("the line's last token was added already")
        self.tokens += [token for token in tokens if 0 <= token < VALID]
        self.last = last

    @property
    def offer(self) -> tuple[int, int] | None:
        """The fewest and the most tokens that `flow` takes now; None while there are not enough of them.

        Fewest is the ramp: small at first, for an early sound. All at once, as the first and only chunk, is
        upstream's whole pass.
        """
        rest = len(self.tokens) - self.done
        if self.last:
            least = rest if self.whole else min(rest, self._step())
            return (least, rest) if rest else None
        most = rest - AHEAD
        return (self._step(), most) if not self.whole and most >= self._step() else None

    @property
    def frames(self) -> int:
        """Frames that `vocode` would turn into sound now; a frame or so of them comes with the next chunk."""
        return FRAMES * self.done - self.voiced

    @property
    def over(self) -> bool:
        """All its sound was given. True at once of a line that ended without a speech token: it is silent."""
        return self.last and self.done == len(self.tokens) and self.voiced == FRAMES * self.done

    def _step(self) -> int:
        return RAMP[min(self.chunks, len(RAMP) - 1)]
