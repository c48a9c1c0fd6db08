"""The GPT-2 shape over our cache: layers normalised before, learnt positions where the weights have them.

Reads the tensors of a `GPT2Model` by their published names. It keeps no state of a row, takes embeddings and gives
the last layer's, normalised.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from models.runtime.cache import Cache, Span

Tensor = Any
Pair = tuple[Tensor, Tensor]
"""Weight and bias."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    before: Pair
    qkv: Pair
    out: Pair
    between: Pair
    up: Pair
    down: Pair


class GPT2:
    def __init__(
        self, tensors: Mapping[str, Tensor], heads: int, device: str, dtype: Any, epsilon: float = 1e-5
    ) -> None:
        """`tensors` are named as in a `GPT2Model`: `h.0.attn.c_attn.weight` and so on. Without `wpe` it adds none."""

        def norm(name: str) -> Pair:
            return tensors[name + ".weight"].to(device, dtype), tensors[name + ".bias"].to(device, dtype)

        def linear(name: str) -> Pair:
            weight, bias = norm(name)
            return weight.T.contiguous(), bias

        count = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("h."))
        self._layers = [_layer(f"h.{number}.", norm, linear) for number in range(count)]
        self._norm, self._epsilon = norm("ln_f"), epsilon
        self._places = tensors["wpe.weight"].to(device, dtype) if "wpe.weight" in tensors else None
        self.layers, self.key_heads = count, heads
        self.head_width = self._layers[0].out[0].shape[1] // heads

    def forward(
        self, x: Tensor, cache: Cache, span: Span, watched: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """`x` is `[rows, tokens, width]`. Beside the result: the mean of what the watched (layer, head)s hear."""
        if self._places is not None:
            x = x + self._places[span.positions]
        heard: list[Tensor] = []
        for number, layer in enumerate(self._layers):
            made = F.linear(self._normed(x, layer.before), *layer.qkv).unflatten(-1, (3, -1, self.head_width))
            query, key, value = made.unbind(dim=2)
            x = x + F.linear(cache.attend(number, span, query, key, value), *layer.out)
            heard += [cache.weights(number, head, span, query) for at, head in watched if at == number]
            grown = F.gelu(F.linear(self._normed(x, layer.between), *layer.up), approximate="tanh")
            x = x + F.linear(grown, *layer.down)
        return self._normed(x, self._norm), torch.stack(heard).mean(dim=0) if heard else None

    def _normed(self, x: Tensor, norm: Pair) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *norm, self._epsilon)


def _layer(at: str, norm: Callable[[str], Pair], linear: Callable[[str], Pair]) -> _Layer:
    return _Layer(
        before=norm(at + "ln_1"),
        qkv=linear(at + "attn.c_attn"),
        out=linear(at + "attn.c_proj"),
        between=norm(at + "ln_2"),
        up=linear(at + "mlp.c_fc"),
        down=linear(at + "mlp.c_proj"),
    )
