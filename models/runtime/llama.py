"""The Llama shape over our cache, Qwen 2 and 3 with it: rotated positions, grouped keys, gated feed-forward.

Reads the tensors of a `LlamaModel` by their published names and fuses those that are used together. It keeps no
state of a row, takes embeddings and gives the last layer's, normalised.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from models.runtime.cache import Cache, Span
from models.runtime.narrow import Product, product, weigh

Tensor = Any


@dataclass(frozen=True, slots=True)
class Stretch:
    """How Llama 3 reaches further than it was first trained for: slow rotations made slower."""

    factor: float = 8.0
    low: float = 1.0
    high: float = 4.0
    """Turns within `trained` under which a rotation is slowed in full, and over which it is left."""
    trained: int = 8192


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """What the tensors themselves do not tell."""

    heads: int
    key_heads: int
    theta: float = 10_000.0
    epsilon: float = 1e-5
    stretch: Stretch | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    before: Tensor
    qkv: Product
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Product
    between: Tensor
    gate_up: Product
    down: Product


class Llama:
    def __init__(
        self, tensors: Mapping[str, Tensor], shape: LlamaShape, device: str, dtype: Any, kept: str = ""
    ) -> None:
        """`tensors` are named as in a `LlamaModel`: `layers.0.self_attn.q_proj.weight` and so on. `kept`: how its
        products keep their weights, where not in `dtype` (models/runtime/narrow.py)."""

        def take(*names: str) -> Tensor:
            found = [tensors[name].to(device, dtype) for name in names]
            # What stays as it is is copied, or the file that it is mapped from stays too.
            return torch.cat(found) if len(found) > 1 or found[0].dim() == 1 else found[0]

        def maybe(*names: str) -> Tensor | None:
            return take(*names) if names[0] in tensors else None

        def linear(*names: str) -> Product:
            return product(
                take(*(name + ".weight" for name in names)), maybe(*(name + ".bias" for name in names)), kept
            )

        count = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers."))
        self._layers = [_layer(f"layers.{number}.", take, maybe, linear) for number in range(count)]
        self._norm = take("norm.weight")
        self._shape, self._device, self._dtype = shape, device, dtype
        self.layers, self.key_heads = count, shape.key_heads
        self.head_width = tensors["layers.0.self_attn.o_proj.weight"].shape[1] // shape.heads
        self.bytes = weigh(self._norm, *(getattr(layer, each.name) for layer in self._layers for each in fields(layer)))
        self._cos, self._sin = self._rotations(0)

    def forward(
        self, x: Tensor, cache: Cache, span: Span, watched: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """`x` is `[rows, tokens, width]`. Beside the result: the mean of what the watched (layer, head)s hear."""
        cos, sin = self._at(cache, span)
        heard: list[Tensor] = []
        for number, layer in enumerate(self._layers):
            query, key, value = self._asked(layer, F.rms_norm(x, x.shape[-1:], layer.before, self._shape.epsilon))
            query, key = _turn(query, cos, sin), _turn(key, cos, sin)
            x = x + layer.out(cache.attend(number, span, query, key, value))
            heard += [cache.weights(number, head, span, query) for at, head in watched if at == number]
            grown = layer.gate_up(F.rms_norm(x, x.shape[-1:], layer.between, self._shape.epsilon))
            gate, up = grown.chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate) * up)
        mean = torch.stack(heard).mean(dim=0) if heard else None
        return F.rms_norm(x, x.shape[-1:], self._norm, self._shape.epsilon), mean

    def _asked(self, layer: _Layer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shape = self._shape
        made = layer.qkv(x).unflatten(-1, (-1, self.head_width))
        query, key, value = made.split((shape.heads, shape.key_heads, shape.key_heads), dim=2)
        if layer.query_norm is not None:
            query = F.rms_norm(query, query.shape[-1:], layer.query_norm, shape.epsilon)
            key = F.rms_norm(key, key.shape[-1:], layer.key_norm, shape.epsilon)
        return query, key, value

    def _at(self, cache: Cache, span: Span) -> tuple[Tensor, Tensor]:
        if len(self._cos) < cache.capacity:
            self._cos, self._sin = self._rotations(cache.capacity)
        return self._cos[span.positions][:, :, None], self._sin[span.positions][:, :, None]

    def _rotations(self, places: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every place's turn, computed exactly and kept in the network's precision."""
        turns = torch.arange(0, self.head_width, 2, device=self._device).float() / self.head_width
        speeds = 1.0 / self._shape.theta**turns
        if self._shape.stretch is not None:
            speeds = _slowed(speeds, self._shape.stretch)
        angles = torch.arange(places, device=self._device).float()[:, None] * speeds
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(self._dtype), angles.sin().to(self._dtype)


def _layer(
    at: str,
    take: Callable[..., Tensor],
    maybe: Callable[..., Tensor | None],
    linear: Callable[..., Product],
) -> _Layer:
    attention = at + "self_attn."
    return _Layer(
        before=take(at + "input_layernorm.weight"),
        qkv=linear(*(f"{attention}{side}_proj" for side in "qkv")),
        query_norm=maybe(attention + "q_norm.weight"),
        key_norm=maybe(attention + "k_norm.weight"),
        out=linear(attention + "o_proj"),
        between=take(at + "post_attention_layernorm.weight"),
        gate_up=linear(at + "mlp.gate_proj", at + "mlp.up_proj"),
        down=linear(at + "mlp.down_proj"),
    )


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    one, other = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-other, one], dim=-1) * sin


def _slowed(speeds: Tensor, stretch: Stretch) -> Tensor:
    waves = stretch.trained * speeds / (2 * math.pi)
    share = ((waves - stretch.low) / (stretch.high - stretch.low)).clamp(0, 1)
    return speeds * (share + (1 - share) / stretch.factor)
