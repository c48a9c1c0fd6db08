"""The GPT-2 shape over our cache: layers normalised before, learnt positions where the weights have them.

Reads the tensors of a `GPT2Model` by their published names. It keeps no state of a row, takes embeddings and gives
the last layer's, normalised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from models.runtime.cache import Cache, Span
from models.runtime.narrow import Product, product, weigh

Tensor = Any
Pair = tuple[Tensor, Tensor]
"""Weight and bias."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    before: Pair
    qkv: Product
    out: Product
    between: Pair
    up: Product
    down: Product


class GPT2:
    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        heads: int,
        device: str,
        dtype: Any,
        epsilon: float = 1e-5,
        kept: str = "",
    ) -> None:
        """`tensors` are named as in a `GPT2Model`: `h.0.attn.c_attn.weight` and so on. Without `wpe` it adds none.
        `kept`: how its products keep their weights, where not in `dtype` (models/runtime/narrow.py)."""

        def norm(name: str) -> Pair:
            # Copied, or the file that they are mapped from would stay too.
            weight, bias = (tensors[f"{name}.{side}"].to(device, dtype, copy=True) for side in ("weight", "bias"))
            return weight, bias

        def linear(name: str) -> Product:
            weight, bias = norm(name)
            return product(weight.T.contiguous(), bias, kept)

        count = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("h."))
        self._layers = [_layer(f"h.{number}.", norm, linear) for number in range(count)]
        self._norm, self._epsilon = norm("ln_f"), epsilon
        self._places = tensors["wpe.weight"].to(device, dtype, copy=True) if "wpe.weight" in tensors else None
        self.layers, self.key_heads = count, heads
        self.head_width = tensors["h.0.attn.c_proj.weight"].shape[0] // heads
        held = (getattr(layer, each.name) for layer in self._layers for each in fields(layer))
        self.bytes = weigh(self._norm, self._places, *held)

    def forward(
        self, x: Tensor, cache: Cache, span: Span, watched: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """`x` is `[rows, tokens, width]`. Beside the result: the mean of what the watched (layer, head)s hear."""
        if self._places is not None:
            x = x + self._places[span.positions]
        heard: list[Tensor] = []
        for number, layer in enumerate(self._layers):
            made = layer.qkv(self._normed(x, layer.before)).unflatten(-1, (3, -1, self.head_width))
            query, key, value = made.unbind(dim=2)
            x = x + layer.out(cache.attend(number, span, query, key, value))
            heard += [cache.weights(number, head, span, query) for at, head in watched if at == number]
            grown = F.gelu(layer.up(self._normed(x, layer.between)), approximate="tanh")
            x = x + layer.down(grown)
        return self._normed(x, self._norm), torch.stack(heard).mean(dim=0) if heard else None

    def _normed(self, x: Tensor, norm: Pair) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *norm, self._epsilon)


def _layer(at: str, norm: Callable[[str], Pair], linear: Callable[[str], Product]) -> _Layer:
    return _Layer(
        before=norm(at + "ln_1"),
        qkv=linear(at + "attn.c_attn"),
        out=linear(at + "attn.c_proj"),
        between=norm(at + "ln_2"),
        up=linear(at + "mlp.c_fc"),
        down=linear(at + "mlp.c_proj"),
    )
