"""F5-TTS's network over a checkpoint's tensors: which way noise has to move to become speech.

A diffusion transformer written for serving: every size is read off the weights, the text is read once a line, and
rows of a batch differ in length, in how far they are and in guidance without hearing each other. Upstream's own
modules are what its tests compare it with; importing them costs four seconds. Knows no lines and no voices.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from torch.nn import functional as F  # type: ignore[import-not-found,unused-ignore]

from models.engines.f5_weights import Habits

MELS = 100
POSITIONS = 8192
"""Frames that the text's reader has positions for; 87 seconds."""
_TIMES = 256
_TURN_BASE = 10_000.0
_KERNEL = 31

Tensor = Any


class Foreign(Exception):
    """These tensors are not this network's."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """All that a checkpoint tells of its network."""

    width: int
    depth: int
    heads: int
    head_width: int
    text_width: int
    text_blocks: int
    tokens: int
    normed: bool
    """Whether queries and keys are normalised."""

    @classmethod
    def read(cls, held: Mapping[str, Tensor]) -> "Sizes":
        try:
            width = held["proj_out.weight"].shape[1]
            head_width = 2 * held["rotary_embed.inv_freq"].shape[0] if "rotary_embed.inv_freq" in held else 64
            tokens, text_width = held["text_embed.text_embed.weight"].shape
            sizes = cls(
                width,
                _count(held, "transformer_blocks"),
                held["transformer_blocks.0.attn.to_q.weight"].shape[0] // head_width,
                head_width,
                text_width,
                _count(held, "text_embed.text_blocks"),
                tokens,
                "transformer_blocks.0.attn.q_norm.weight" in held,
            )
        except (KeyError, ValueError) as error:
            raise Foreign from error
        if held["proj_out.weight"].shape[0] != MELS or set(held) - {"rotary_embed.inv_freq"} != set(sizes.names()):
            raise Foreign
        return sizes

    def names(self) -> Iterator[str]:
        """Every tensor that there must be."""
        yield "text_embed.text_embed.weight"
        for block in range(self.text_blocks):
            place = f"text_embed.text_blocks.{block}"
            yield from _affine(place, "dwconv", "norm", "pwconv1", "pwconv2")
            yield from (f"{place}.grn.gamma", f"{place}.grn.beta")
        yield from _affine("time_embed.time_mlp", "0", "2")
        yield from _affine("input_embed", "proj", "conv_pos_embed.conv1d.0", "conv_pos_embed.conv1d.2")
        for block in range(self.depth):
            place = f"transformer_blocks.{block}"
            yield from _affine(f"{place}.attn", "to_q", "to_k", "to_v", "to_out.0")
            yield from _affine(place, "attn_norm.linear", "ff.ff.0.0", "ff.ff.2")
            if self.normed:
                yield from (f"{place}.attn.{which}_norm.weight" for which in "qk")
        yield from _affine("norm_out", "linear")
        yield from ("proj_out.weight", "proj_out.bias")


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A line's text as the network has read it, with and without knowing it: (frames, text width) each."""

    told: Tensor
    untold: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One line of a batch: where its noise is, between 0 and 1, and what it becomes speech by."""

    noise: Tensor
    """(frames, mels)"""
    heard: Tensor
    """The reference's frames, zeros after them."""
    reading: Reading
    time: float
    guidance: float


class Network:
    def __init__(self, held: Mapping[str, Tensor], habits: Habits, device: str, dtype: Any) -> None:
        self.sizes = Sizes.read(held)
        self.device, self.dtype = torch.device(device), dtype
        self._held = {name: tensor.to(self.device, dtype) for name, tensor in held.items()}
        self._habits = habits
        self._positions = _positions(self.sizes.text_width).to(self.device, dtype)
        self._turns = _turning(self.sizes.head_width).to(self.device)

    @property
    def bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._held.values())

    def read(self, ids: Sequence[int], frames: int) -> Reading:
        """What the text says at each frame. Alone, so that no other line's length matters."""
        padded = torch.zeros(frames, dtype=torch.long)
        padded[: len(ids)] = torch.tensor(ids[:frames], dtype=torch.long) + 1
        known = (padded != 0)[:, None].to(self.device) if self._habits.masks_text else None
        padded = padded.to(self.device)
        return Reading(self._text(padded, known), self._text(torch.zeros_like(padded), known))

    def flow(self, rows: Sequence[Row]) -> list[Tensor]:
        """Which way each row's noise has to move, in fp32."""
        guided = [row for row in rows if row.guidance]
        x = self._entered(rows, told=True)
        if guided:
            x = torch.cat([x, _widened(self._entered(guided, told=False), x.shape[1])])
        every = [*rows, *guided]
        ways = [way[: len(row.noise)] for way, row in zip(self._blocks(x, every), every, strict=True)]
        free = iter(ways[len(rows) :])
        return [
            told + (told - next(free)) * row.guidance if row.guidance else told
            for told, row in zip(ways, rows, strict=False)
        ]

    # The parts

    def _text(self, ids: Tensor, known: Tensor | None) -> Tensor:
        x = F.embedding(ids, self._held["text_embed.text_embed.weight"])
        if not self.sizes.text_blocks:
            return x
        x = _kept(x + self._positions[: len(x)], known)
        for block in range(self.sizes.text_blocks):
            x = _kept(x + self._text_block(x, f"text_embed.text_blocks.{block}"), known)
        return x

    def _text_block(self, x: Tensor, name: str) -> Tensor:
        x = self._conv(x.T[None], f"{name}.dwconv", 3, groups=x.shape[-1])[0].T
        x = F.layer_norm(x, x.shape[-1:], self._held[f"{name}.norm.weight"], self._held[f"{name}.norm.bias"], 1e-6)
        x = F.gelu(self._linear(x, f"{name}.pwconv1"))
        loud = torch.linalg.vector_norm(x, dim=0, keepdim=True)
        share = loud / (loud.mean(-1, keepdim=True) + 1e-6)
        x = self._held[f"{name}.grn.gamma"][0] * (x * share) + self._held[f"{name}.grn.beta"][0] + x
        return self._linear(x, f"{name}.pwconv2")

    def _entered(self, rows: Sequence[Row], told: bool) -> Tensor:
        """Noise, reference and text of each row as the blocks take them, padded to the longest."""
        parts = []
        for row in rows:
            heard = row.heard if told else torch.zeros_like(row.heard)
            text = row.reading.told if told else row.reading.untold
            parts.append(torch.cat([row.noise.to(self.dtype), heard.to(self.dtype), text], -1))
        x = self._linear(torch.nn.utils.rnn.pad_sequence(parts, batch_first=True), "input_embed.proj")
        inside = _inside(rows, self.device)
        around = _kept(x, inside).mT
        for layer in ("0", "2"):
            around = self._conv(around, f"input_embed.conv_pos_embed.conv1d.{layer}", _KERNEL // 2, groups=16)
            around = F.mish(_kept(around.mT, inside).mT)
        return around.mT + x

    def _blocks(self, x: Tensor, rows: Sequence[Row]) -> Tensor:
        at = self._linear(self._times([row.time for row in rows]), "time_embed.time_mlp.0")
        at = F.silu(self._linear(F.silu(at), "time_embed.time_mlp.2"))  # every block takes it through silu
        inside = _inside(rows, self.device)
        seen = None if inside is None else inside.mT[:, None]
        angles = torch.outer(torch.arange(x.shape[1], device=self.device).float(), self._turns)
        turn = (angles.cos(), angles.sin())
        for block in range(self.sizes.depth):
            x = self._block(x, at, f"transformer_blocks.{block}", turn, seen)
        scale, shift = self._linear(at, "norm_out.linear")[:, None].chunk(2, -1)
        return self._linear(_normed(x) * (1 + scale) + shift, "proj_out").float()

    def _block(self, x: Tensor, at: Tensor, name: str, turn: tuple[Tensor, Tensor], seen: Tensor | None) -> Tensor:
        tuned = self._linear(at, f"{name}.attn_norm.linear")[:, None].chunk(6, -1)
        shift, scale, gate, late_shift, late_scale, late_gate = tuned
        x = x + gate * self._attention(_normed(x) * (1 + scale) + shift, f"{name}.attn", turn, seen)
        inner = self._linear(_normed(x) * (1 + late_scale) + late_shift, f"{name}.ff.ff.0.0")
        return x + late_gate * self._linear(F.gelu(inner, approximate="tanh"), f"{name}.ff.ff.2")

    def _attention(self, x: Tensor, name: str, turn: tuple[Tensor, Tensor], seen: Tensor | None) -> Tensor:
        shape = (*x.shape[:2], self.sizes.heads, self.sizes.head_width)
        query, key, value = (self._linear(x, f"{name}.to_{part}").view(shape).transpose(1, 2) for part in "qkv")
        if self.sizes.normed:
            query, key = (
                F.rms_norm(part, part.shape[-1:], self._held[f"{name}.{which}_norm.weight"], 1e-6)
                for part, which in ((query, "q"), (key, "k"))
            )
        query, key = self._turned(query, turn), self._turned(key, turn)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self._linear(out.transpose(1, 2).flatten(2), f"{name}.to_out.0")

    def _turned(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Pairs of neighbours, turned by where the frame is."""
        few = self._habits.turned_heads
        if few is not None:
            return torch.cat([_turned(x[:, :few], turn), x[:, few:]], 1)
        return _turned(x, turn)

    def _times(self, times: Sequence[float]) -> Tensor:
        half = _TIMES // 2
        steps = torch.exp(torch.arange(half).float() * -(math.log(10_000) / (half - 1)))
        angles = 1000 * torch.tensor(times)[:, None] * steps
        return torch.cat([angles.sin(), angles.cos()], -1).to(self.device, self.dtype, non_blocking=True)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._held[f"{name}.weight"], self._held[f"{name}.bias"])

    def _conv(self, x: Tensor, name: str, padding: int, groups: int) -> Tensor:
        return F.conv1d(x, self._held[f"{name}.weight"], self._held[f"{name}.bias"], padding=padding, groups=groups)


def _count(held: Mapping[str, Tensor], name: str) -> int:
    depth = name.count(".") + 1
    return 1 + max((int(key.split(".")[depth]) for key in held if key.startswith(f"{name}.")), default=-1)


def _affine(place: str, *names: str) -> Iterator[str]:
    yield from (f"{place}.{name}.{kind}" for name in names for kind in ("weight", "bias"))


def _positions(width: int) -> Tensor:
    speeds = _turning(width)
    angles = torch.outer(torch.arange(POSITIONS).float(), speeds)
    return torch.cat([angles.cos(), angles.sin()], -1)


def _turning(width: int) -> Tensor:
    return 1.0 / (_TURN_BASE ** (torch.arange(0, width, 2).float() / width))


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = turn
    even, odd = x[..., ::2].float(), x[..., 1::2].float()
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2).to(x.dtype)


def _normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def _kept(x: Tensor, inside: Tensor | None) -> Tensor:
    return x if inside is None else x * inside.to(x.dtype)


def _inside(rows: Sequence[Row], device: Any) -> Tensor | None:
    """(rows, frames, 1): which frames are a row's own. None where all are: masks cost attention its quickest way."""
    lengths = [len(row.noise) for row in rows]
    if min(lengths) == max(lengths):
        return None
    # A step that waited for the card would leave it idle while the next one is put together.
    return (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])[..., None].to(device, non_blocking=True)


def _widened(x: Tensor, frames: int) -> Tensor:
    return F.pad(x, (0, 0, 0, frames - x.shape[1]))
