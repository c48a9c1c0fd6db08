"""Keys and values of the rows that are being decoded, in one static block of memory.

A row has a slot. What a pass covers is a `Span`: the first so many slots, seen in place, or any slots, copied. Slots
change places between turns so that the rows of a turn come first. It knows no tokens and no row's name.
"""

from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

Tensor = Any


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Rows and positions of one pass."""

    rows: slice | Tensor
    """Slots: a slice is seen in place, a tensor of numbers is copied."""
    index: Tensor
    """The same as numbers, `[rows]`."""
    positions: Tensor
    """Where each new token stands in its row, `[rows, tokens]`."""
    length: int
    """Positions looked at, of every row."""
    mask: Tensor
    """Which of them each new token hears, `[rows, 1, tokens, length]`."""


class Cache:
    def __init__(
        self, layers: int, heads: int, width: int, slots: int, capacity: int, device: str, dtype: Any = torch.float32
    ) -> None:
        """`heads` of keys and values, each of `width`; `capacity`: positions of a slot."""
        self.slots, self.capacity = slots, capacity
        self.pool = torch.zeros(layers, 2, slots, heads, capacity, width, device=device, dtype=dtype)
        self._numbers = torch.arange(slots, device=device)
        self._places = torch.arange(capacity, device=device)

    def span(self, rows: slice | Tensor, positions: Tensor, length: int) -> Span:
        index = self._numbers[rows] if isinstance(rows, slice) else rows
        mask = self._places[:length] <= positions[:, None, :, None]
        return Span(rows, index, positions, length, mask)

    def attend(self, layer: int, span: Span, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Keeps the new keys and values, `[rows, tokens, heads, width]`, and lets the queries hear all so far."""
        self._keep(layer, span, key, value)
        keys, values = self.keys(layer, span), self._seen(layer, 1, span)
        rows, tokens, heads, width = query.shape
        shared = heads // keys.shape[1]
        # Queries that share keys stand behind each other, as if they were further tokens.
        asked = query.transpose(1, 2).reshape(rows, keys.shape[1], shared * tokens, width)
        mask = span.mask if shared == 1 else span.mask.repeat(1, 1, shared, 1)
        heard = F.scaled_dot_product_attention(asked, keys, values, attn_mask=mask)
        return heard.reshape(rows, heads, tokens, width).transpose(1, 2).reshape(rows, tokens, heads * width)

    def weights(self, layer: int, head: int, span: Span, query: Tensor) -> Tensor:
        """How much each new token hears of each position, in one head: `[rows, tokens, length]`."""
        keys = self.keys(layer, span)
        key = keys[:, head * keys.shape[1] // query.shape[2]].float()
        scores = query[:, :, head].float() @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        return torch.softmax(scores.masked_fill(~span.mask[:, 0], -torch.inf), dim=-1)

    def keys(self, layer: int, span: Span) -> Tensor:
        return self._seen(layer, 0, span)

    def move(self, pairs: list[tuple[int, int]], length: int) -> None:
        """Exchanges the slots of each pair, so far as `length`."""
        here, there = [one for one, _ in pairs], [other for _, other in pairs]
        block = self.pool[:, :, :, :, :length]
        block[:, :, here + there] = block[:, :, there + here]

    def _keep(self, layer: int, span: Span, key: Tensor, value: Tensor) -> None:
        at = (span.index[:, None], slice(None), span.positions)
        self.pool[layer, 0][at] = key.to(self.pool.dtype)
        self.pool[layer, 1][at] = value.to(self.pool.dtype)

    def _seen(self, layer: int, side: int, span: Span) -> Tensor:
        return self.pool[layer, side, :, :, : span.length][span.rows]
