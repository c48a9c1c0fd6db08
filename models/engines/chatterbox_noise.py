"""The random numbers of one line, by the number of the frame they belong to: chunks of any size draw the same ones.

They are drawn on the device in blocks of a fixed length from a generator of the line's own, so nothing that other
lines do moves them. A CPU and a card draw different ones. Imported only where torch is.
"""

from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

BLOCK_FRAMES = 32
STREAMS = 8
"""Sequences a seed is spread over; a line uses a few of them."""

Tensor = Any


def dice(seed: int, stream: int, device: str) -> Any:
    generator = torch.Generator(device)
    generator.manual_seed((seed * STREAMS + stream) % 2**63)
    return generator


class Noise:
    """Standard normal, `rows` by `samples` for each frame."""

    def __init__(self, seed: int, stream: int, rows: int, samples: int, device: str) -> None:
        self._dice = dice(seed, stream, device)
        self._rows, self._samples = rows, samples
        self._first = 0
        """Frame at which what is held begins."""
        self._held: Tensor = torch.zeros(rows, 0, device=device)

    def frames(self, start: int, end: int) -> Tensor:
        """(rows, (end - start) * samples). Frames let go are gone."""
        if start < self._first:
            raise ValueError("these frames' noise was let go")
        while self._first * self._samples + self._held.shape[1] < end * self._samples:
            block = torch.randn(
                self._rows, BLOCK_FRAMES * self._samples, generator=self._dice, device=self._held.device
            )
            self._held = torch.cat([self._held, block], dim=1)
        at = (start - self._first) * self._samples
        return self._held[:, at : at + (end - start) * self._samples]

    def let_go(self, before: int) -> None:
        if before > self._first:
            end = self._first + self._held.shape[1] // self._samples
            before = min(before, end)
            self._held = self._held[:, (before - self._first) * self._samples :].clone()
            self._first = before
