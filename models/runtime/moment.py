"""One step as an engine's heads see it: whose rows, what they keep, and how a token is drawn.

The same code runs after a prefix, where rows are any slots, and in a captured graph, where they are the first so
many; so what a row keeps is read with `kept` and written with `keep`, which leaves rows alone whose turn it is not.
"""

from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

from models.runtime.cache import Span
from models.runtime.sampler import Sampler

Tensor = Any


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    span: Span
    tensors: dict[str, Tensor]
    moves: Tensor
    """Whose turn it is, `[rows]`."""
    attention: Tensor | None
    """What the watched heads hear of each position, `[rows, tokens, length]`."""
    lead: Tensor
    """Of each row, the one whose token it takes: itself, but for mates."""
    mate: Tensor
    """Of each row, the one it is compared with: itself, where nothing guides it."""
    sampler: Sampler
    filters: frozenset[str]

    def kept(self, name: str) -> Tensor:
        return self.tensors[name][self.span.rows]

    def keep(self, name: str, value: Tensor) -> None:
        before = self.kept(name)
        moves = self.moves.reshape(-1, *(1,) * (before.dim() - 1))
        self.tensors[name][self.span.index] = torch.where(moves, value.to(before.dtype), before)

    @property
    def frame(self) -> Tensor:
        """Frames each row has."""
        return self.kept("frame").clamp(max=self.tensors["said"].shape[1] - 1)

    def guided(self, logits: Tensor) -> Tensor:
        """Away from what the row's mate says, as far as the row's guidance goes."""
        logits = logits.float()
        return torch.addcmul(logits, self.kept("guidance")[:, None], logits - logits[self.mate])

    def draw(self, logits: Tensor, codebook: int = 0) -> Tensor:
        """A token for each row; the first codebook's by its own knobs, further ones by the row's inner knobs."""
        rows, place = self._drawing()
        drawn = self.tensors["numbers"][self.span.index, self.frame, codebook][rows]
        heard = None if codebook else self.kept("heard")[rows]
        knobs = self.kept("knobs")[rows, min(codebook, 1)]
        return self.sampler(logits[rows], knobs, drawn, heard, self.filters)[place]

    def _drawing(self) -> tuple[Any, Tensor]:
        """Rows that draw, and where each row finds its own among them. A card cannot be asked how many there are."""
        if self.lead.device.type != "cpu":
            return slice(None), self.lead
        rows, place = torch.unique(self.lead, return_inverse=True)
        return rows, place

    def close(self, tokens: Tensor, hidden: Tensor, stops: Tensor) -> None:
        """Keeps the frame, `[rows, codebooks]`, and goes on to the next."""
        index, frame, first = self.span.index, self.frame, tokens[:, 0]
        self._put("said", (index, frame), tokens, self.moves[:, None])
        if "hidden" in self.tensors:
            self._put("hidden", (index, frame), hidden.float(), self.moves[:, None])
        self._put("heard", (index, first), self.moves, self.moves)
        self.keep("last", tokens)
        self.keep("over", torch.isin(first, stops))
        self.keep("frame", self.kept("frame") + 1)

    def _put(self, name: str, at: tuple[Tensor, ...], value: Tensor, where: Tensor) -> None:
        kept = self.tensors[name]
        kept[at] = torch.where(where, value, kept[at])
