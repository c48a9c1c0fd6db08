"""The singing half of XTTS v2: a line's latents become sound while they keep coming, nothing is decoded twice.

    row = Row(voice, speed=1.0)
    row.add(latents, last=False); row.offer        # frames at the least and at the most, or None
    sounds = sound.vocode([(row, 64), (other, 256)])

Each pass hears `REACH` frames on both sides of what it gives, no more is needed for it to be what it would be in one
pass over the line. So a chunk waits for the few latents that follow it, and there is nothing to fade at its borders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from basics.audio import Samples
from models.engine import Conditioning
from models.engines.xtts_vocoder import FRAME, RATE, REACH, SPREAD, Vocoder, first_of, known, spread

Tensor = Any

RAMP = (32, 64, 128)
"""Frames of the first chunks, at the least: a third of a second, then more; later ones are as long as the last."""
MOST = 256
"""Frames of a chunk, so that those of long lines are alike and go together."""
UNEVEN = 2.0
"""A window more than so many times as long as another is not padded to it."""


@dataclass(slots=True, eq=False)
class Row:
    voice: Tensor
    """(width,)"""
    speed: float = 1.0
    latents: list[Tensor] = field(default_factory=list)
    """Those that are still looked at, as they came."""
    first: int = 0
    """Which of the line's the first of them is."""
    count: int = 0
    """That came so far."""
    last: bool = False
    voiced: int = 0
    """Frames."""
    chunks: int = 0

    @property
    def factors(self) -> tuple[float, ...]:
        return SPREAD if self.speed == 1.0 else (1.0 / self.speed, *SPREAD)

    def add(self, latents: Tensor, last: bool) -> None:
        self.latents.append(latents)
        self.count += len(latents)
        self.last = last

    @property
    def settled(self) -> int:
        """Frames that more latents do not change."""
        return known(self.count, self.factors, self.last)

    @property
    def offer(self) -> tuple[int, int] | None:
        """Frames that can become sound now: at the least, and at the most."""
        rest = self.settled - self.voiced - (0 if self.last else REACH)
        least = RAMP[min(self.chunks, len(RAMP) - 1)]
        if self.last:
            return (min(rest, least), min(rest, MOST)) if rest > 0 else None
        return (least, min(rest, MOST)) if rest >= least else None

    @property
    def over(self) -> bool:
        """All its sound was given."""
        return self.last and self.voiced >= self.settled

    @property
    def lacking(self) -> int:
        """Latents until the next chunk can be sung, about."""
        wanted = self.voiced + RAMP[min(self.chunks, len(RAMP) - 1)] + REACH + 2
        frames = float(wanted)
        for factor in self.factors:
            frames /= factor
        return max(1, round(frames + 1.5) - self.count)


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Frames of one pass."""

    row: Row
    frames: Tensor
    """(width, frames)"""
    before: int
    """Of them, those that are only heard."""
    size: int
    begins: bool
    """Whether it begins where the line does, and whether it ends there: there the network must hear nothing more."""
    ends: bool

    @property
    def length(self) -> int:
        return int(self.frames.shape[1])


class Sound:
    rate = RATE

    def __init__(self, tensors: Mapping[str, Tensor], device: str) -> None:
        self._vocoder, self._device = Vocoder(tensors, device), device
        self.bytes = self._vocoder.bytes

    def begin(self, conditioning: Conditioning, speed: float) -> Row:
        voice = torch.from_numpy(np.array(conditioning["speaker_embedding"], np.float32)).reshape(-1)
        return Row(voice.to(self._device), speed)

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def vocode(self, work: Sequence[tuple[Row, int]]) -> list[Samples]:
        """So many frames more of each row; joined, a row's are its line."""
        windows = [_window(row, size) for row, size in work]
        sounds: dict[int, Samples] = {}
        for group in together([(each.length, each.begins and each.ends) for each in windows]):
            sounds.update(zip(group, self._sung([windows[number] for number in group]), strict=True))
        for window in windows:
            _forget(window)
        return [sounds[number] for number in range(len(windows))]

    def _sung(self, windows: Sequence[_Window]) -> list[Samples]:
        """Padding lies where the line goes on: so far from what is given, it is not heard."""
        longest = max(each.length for each in windows)
        lacks = [longest - each.length for each in windows]
        left = [lack if each.ends else 0 for lack, each in zip(lacks, windows, strict=True)]
        padded = [
            F.pad(each.frames, (before, lack - before)) for each, lack, before in zip(windows, lacks, left, strict=True)
        ]
        made = self._vocoder.sound(torch.stack(padded), torch.stack([each.row.voice for each in windows]))
        made = made.cpu().numpy()
        begins = [FRAME * (before + each.before) for each, before in zip(windows, left, strict=True)]
        return [
            made[number, begin : begin + FRAME * each.size].copy()
            for number, (each, begin) in enumerate(zip(windows, begins, strict=True))
        ]


def together(windows: Sequence[tuple[int, bool]]) -> list[list[int]]:
    """Which windows, of these lengths, go through the network at once. One that is a line whole cannot be padded."""
    groups: list[list[int]] = []
    for number in sorted(range(len(windows)), key=lambda number: windows[number][::-1]):
        length, whole = windows[number]
        shortest, alike = windows[groups[-1][0]] if groups else (0, False)
        if groups and alike == whole and length <= shortest * (1.0 if whole else UNEVEN):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _window(row: Row, size: int) -> _Window:
    begin = max(0, row.voiced - REACH)
    end = min(row.voiced + size + REACH, row.settled)
    latents = torch.cat(row.latents)
    frames = spread(latents, row.first, row.factors, begin, end)
    return _Window(row, frames, row.voiced - begin, size, begin == 0, row.last and end == row.settled)


def _forget(window: _Window) -> None:
    """What no later chunk looks back at."""
    row = window.row
    row.voiced += window.size
    row.chunks += 1
    needed = min(first_of(max(0, row.voiced - REACH), row.factors), row.count)
    row.latents = [torch.cat(row.latents)[needed - row.first :].clone()]
    row.first = needed
