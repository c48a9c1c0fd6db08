"""From logits to tokens, each row by knobs and numbers of its own.

A row's numbers are drawn once, from its seed, one for each frame and codebook: it draws the same alone or in any
batch, whatever the device. A temperature of 0 takes the likeliest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]

Tensor = Any

FILTERS = ("penalty", "temperature", "nucleus", "min_p")
"""The order in which transformers filters; `nucleus` is top-k, then top-p."""


@dataclass(frozen=True, slots=True)
class Knobs:
    temperature: float = 1.0
    top_k: int = 0
    """0 keeps all."""
    top_p: float = 1.0
    min_p: float = 0.0
    """Relative to the likeliest."""
    penalty: float = 1.0
    """For what the row has said: logits are divided by it, those under 0 multiplied."""

    @property
    def row(self) -> tuple[float, ...]:
        return (self.temperature, float(self.top_k), self.top_p, self.min_p, self.penalty)

    @property
    def filters(self) -> frozenset[str]:
        """Those that change anything, and `likeliest` where nothing is drawn."""
        nucleus = self.top_k > 0 or self.top_p < 1
        wanted = {"nucleus": nucleus, "min_p": self.min_p > 0, "penalty": self.penalty != 1}
        wanted["likeliest"] = self.temperature <= 0
        return frozenset(name for name, needed in wanted.items() if needed)


def numbers(seed: int, frames: int, codebooks: int) -> Tensor:
    """In [0, 1), `[frames, codebooks]`. The first do not depend on how many there are."""
    drawn = np.random.Generator(np.random.Philox(seed)).random((frames, codebooks), np.float32)
    return torch.from_numpy(drawn)


class Sampler:
    def __init__(self, order: tuple[str, ...] = FILTERS) -> None:
        self._order = order

    def __call__(
        self, logits: Tensor, knobs: Tensor, drawn: Tensor, said: Tensor | None, filters: frozenset[str]
    ) -> Tensor:
        """Tokens `[rows]` of logits `[rows, words]`. `filters`: which any of the rows needs; the rest are skipped."""
        logits = logits.float()
        for name in self._order:
            if name == "temperature" or (name in filters and (name != "penalty" or said is not None)):
                logits = _FILTERS[name](logits, knobs, said)
        picked = pick(logits, drawn)
        return torch.where(knobs[:, 0] > 0, picked, logits.argmax(dim=-1)) if "likeliest" in filters else picked


def pick(logits: Tensor, drawn: Tensor) -> Tensor:
    """The word in whose share of the whole the row's number falls. No word without a share is ever picked."""
    shares = torch.softmax(logits, dim=-1).cumsum(dim=-1)
    return torch.searchsorted(shares, (drawn * shares[:, -1])[:, None], right=True)[:, 0]


def _penalised(logits: Tensor, knobs: Tensor, said: Tensor) -> Tensor:
    penalty = knobs[:, 4, None]
    return torch.where(said, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def _tempered(logits: Tensor, knobs: Tensor, said: Tensor | None) -> Tensor:
    temperature = knobs[:, 0, None]
    return logits / torch.where(temperature > 0, temperature, 1.0)


def _nucleus(logits: Tensor, knobs: Tensor, said: Tensor | None) -> Tensor:
    """What is as likely as the last of those that top-k and top-p keep."""
    ranked = logits.sort(dim=-1, descending=True).values
    count = torch.where(knobs[:, 1] > 0, knobs[:, 1], ranked.shape[-1]).clamp(max=ranked.shape[-1])[:, None]
    places = torch.arange(ranked.shape[-1], device=ranked.device)
    shares = torch.softmax(ranked.masked_fill(places >= count, -torch.inf), dim=-1)
    top_p = knobs[:, 2, None]
    kept = (places < count) & ((shares.cumsum(dim=-1) - shares < top_p) | (top_p >= 1))
    least = ranked.gather(1, kept.sum(dim=-1, keepdim=True).clamp(min=1) - 1)
    return logits.masked_fill(logits < least, -torch.inf)


def _min_p(logits: Tensor, knobs: Tensor, said: Tensor | None) -> Tensor:
    least = logits.amax(dim=-1, keepdim=True) + torch.log(knobs[:, 3, None])
    return logits.masked_fill(logits < least, -torch.inf)


_FILTERS: Mapping[str, Callable[..., Tensor]] = {
    "penalty": _penalised,
    "temperature": _tempered,
    "nucleus": _nucleus,
    "min_p": _min_p,
}
