"""Latents to sound: XTTS v2's HiFi-GAN over its published tensors, and the way from a latent's rate to a frame's.

Both can be asked for a part of a line. What a frame becomes depends on the frames within `REACH` of it and on nothing
else, so a part with so much around it is what it would be in the whole. It keeps no row. Imported only where torch is.
"""

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

Tensor = Any

RATE = 24_000
FRAME = 256
"""Samples."""
SPREAD = (1024 / FRAME, RATE / 22_050)
"""Of a latent over frames: upstream goes by two steps, the second from one rate to another."""
REACH = 14
"""Frames: by the layers' kernels and dilations 13.4."""
SLOPE, LAST_SLOPE = 0.1, 0.01
DILATIONS = (1, 3, 5)
DECODER = "hifigan_decoder.waveform_decoder."


class Vocoder:
    def __init__(self, tensors: Mapping[str, Tensor], device: str) -> None:
        """In fp32 whatever the other half is in."""
        held = {name.removeprefix(DECODER): each for name, each in tensors.items() if name.startswith(DECODER)}
        self._tensors = {name: each.to(device, torch.float32) for name, each in _plain(held).items()}
        self._stages = len({name.split(".")[1] for name in self._tensors if name.startswith("ups.")})
        self._blocks = len({name.split(".")[1] for name in self._tensors if name.startswith("resblocks.")})
        self.bytes = sum(each.numel() * each.element_size() for each in self._tensors.values())

    def sound(self, frames: Tensor, voices: Tensor) -> Tensor:
        """`[rows, samples]` of frames `[rows, width, frames]` in voices `[rows, width]`."""
        voices = voices[:, :, None]
        x = self._conv(frames, "conv_pre", 3) + self._conv(voices, "cond_layer", 0)
        each = self._blocks // self._stages
        for stage in range(self._stages):
            x = self._grown(F.leaky_relu(x, SLOPE), f"ups.{stage}") + self._conv(voices, f"conds.{stage}", 0)
            blocks = range(stage * each, (stage + 1) * each)
            x = torch.stack([self._block(x, f"resblocks.{block}") for block in blocks]).sum(dim=0) / each
        made: Tensor = self._conv(F.leaky_relu(x, LAST_SLOPE), "conv_post", 3).tanh()[:, 0]
        return made

    def _block(self, x: Tensor, at: str) -> Tensor:
        for number, dilation in enumerate(DILATIONS):
            reach = self._tensors[f"{at}.convs1.{number}.weight"].shape[2] // 2
            made = self._conv(F.leaky_relu(x, SLOPE), f"{at}.convs1.{number}", reach * dilation, dilation)
            x = x + self._conv(F.leaky_relu(made, SLOPE), f"{at}.convs2.{number}", reach)
        return x

    def _grown(self, x: Tensor, name: str) -> Tensor:
        weight = self._tensors[f"{name}.weight"]
        factor = weight.shape[2] // 2  # each kernel of upstream's is twice its step
        return F.conv_transpose1d(x, weight, self._tensors[f"{name}.bias"], factor, factor // 2)

    def _conv(self, x: Tensor, name: str, padding: int, dilation: int = 1) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors.get(f"{name}.bias")
        return F.conv1d(x, weight, bias, padding=padding, dilation=dilation)


def _plain(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights without their normalisation: a length and a direction become what they mean."""
    plain = {name: each for name, each in held.items() if not name.endswith(_LENGTHS + _DIRECTIONS)}
    for length, direction in zip(_LENGTHS, _DIRECTIONS, strict=True):
        for name in [name for name in held if name.endswith(length)]:
            whole = name.removesuffix(length)
            wide = held[whole + direction].float()
            plain[f"{whole}weight"] = wide * (held[name].float() / wide.norm(dim=(1, 2), keepdim=True))
    return plain


_LENGTHS = ("parametrizations.weight.original0", "weight_g")
_DIRECTIONS = ("parametrizations.weight.original1", "weight_v")


# From latents to frames


def known(latents: int, factors: Sequence[float], over: bool) -> int:
    """How many frames so many latents settle; where no more come, how many there are."""
    for factor in factors:
        latents = floor(latents * factor) if over else max(0, floor((latents - 0.5) * factor - 0.5))
    return latents


def first_of(frame: int, factors: Sequence[float]) -> int:
    """The first latent that a frame is made of."""
    for factor in reversed(factors):
        frame = _place(frame, factor)
    return frame


def spread(latents: Tensor, first: int, factors: Sequence[float], begin: int, end: int) -> Tensor:
    """Frames `[width, end - begin]` of latents `[number, width]`, which begin with the `first` of their line; where
    they end the line does, or no frame looks there. By each factor, everything lies evenly between two neighbours."""
    count = first + len(latents)
    ranges = [(begin, end)]
    for step in range(len(factors) - 1, 0, -1):
        end = min(_place(end - 1, factors[step]) + 2, known(count, factors[:step], over=True))
        begin = _place(begin, factors[step])
        ranges.append((begin, end))
    x, at = latents.T, first
    for factor, (begin, end) in zip(factors, reversed(ranges), strict=True):
        # In single precision, as upstream computes where it looks.
        places = ((torch.arange(begin, end, dtype=torch.float32) + 0.5) * (1.0 / factor) - 0.5).clamp(min=0)
        low = places.floor().long()
        share = (places - low).to(x.device)
        low, high = ((each - at).clamp(max=x.shape[1] - 1).to(x.device) for each in (low, low + 1))
        x, at = x[:, low] * (1 - share) + x[:, high] * share, begin
    return x


def _place(at: int, factor: float) -> int:
    """The left neighbour of what lies there before it was spread."""
    return max(0, floor((at + 0.5) / factor - 0.5))
