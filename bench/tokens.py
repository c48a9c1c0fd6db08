"""Likeliest tokens beside each other: what a decoder says without drawing, and for how long two of them agree.

It knows no model.
"""

from collections.abc import Sequence
from typing import Any


def said(decoder: Any, id: str, most: int) -> list[int]:
    """The row's tokens, of which the prefix brings the first."""
    return [*decoder.prefill([id])[id].tokens[:, 0], *decoder.decode({id: most})[id].tokens[:, 0]]


def agreed(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> list[int]:
    """For each line how many tokens come before the first that differs."""
    return [_same(one, other) for one, other in zip(ours, theirs, strict=True)]


def _same(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other)))
