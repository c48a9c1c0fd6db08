"""Weights as a product keeps them: read for every token, they are what a step costs, and fewer bytes are less time.

    made = product(weight, bias)            # exact, as it is fastest on its device
    made = product(weight, bias, "int8")    # of `NARROW`, on a CPU: the weight alone is rounded
    made(x)                                 # `[..., in]` to `[..., out]`, by rows that do not hear each other

What goes in and comes out, and every sum, is fp32 where a weight is narrow. What it was made of may go. It knows no
network.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from basics.errors import Failure

Tensor = Any

ROWS = 16
"""That a packed weight is laid out for. One for 2 or 64 rows was as fast with any number."""
DIGIT = 128
"""A number is two digits of 7 bits to int8: processors without VNNI add two products in 16 bits, which 8 overflow."""
MIDDLE = 64
"""Of a digit, which has no sign."""
LARGEST = 63 * DIGIT


class Product(Protocol):
    bytes: int

    def __call__(self, x: Tensor) -> Tensor: ...


def product(weight: Tensor, bias: Tensor | None = None, kept: str = "") -> Product:
    """`weight`: `[out, in]`. Raises a Failure where this device has nothing for `kept`."""
    if kept:
        return _narrow(kept)(weight, bias)
    packs = weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return Packed(weight, bias) if packs else Plain(weight, bias)


def weigh(*held: Any) -> int:
    """Bytes of products and tensors, and of tuples of them."""
    return sum(
        weigh(*each) if isinstance(each, tuple) else each.nbytes if isinstance(each, torch.Tensor) else each.bytes
        for each in held
        if each is not None
    )


class Plain:
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight, bias
        self.bytes = weigh(weight, bias)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self._weight, self._bias)


class Packed:
    """The same numbers in the order in which oneDNN reads them: 4 rows take little longer than one."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS), bias
        self.bytes = weigh(weight, bias)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")


class Half:
    """Weights in fp16, widened as they are multiplied: no sum of fp16 is taken."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)
        self.bytes = weight.numel() * 2 + weigh(bias)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic_fp16(x, self._packed)


class Quarter:
    """Weights in int8, each output with a scale of its own. What they are multiplied with are two digits of int8, that
    is 14 bits of the row's largest, so that a row is rounded by what is in it and by no other."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._scale = _some(weight.abs().amax(dim=1)) / 127
        whole = torch.round(weight / self._scale[:, None]).to(torch.int8)
        self._packed = torch.ops.onednn.qlinear_prepack(whole, None)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._bias = bias
        self.bytes = weight.numel() + weigh(self._scale, self._zeros, bias)

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        unit = _some(rows.abs().amax(dim=1, keepdim=True)) / LARGEST
        whole = torch.round(rows / unit)
        high = torch.floor(whole / DIGIT + 0.5)
        digits = torch.cat([high, whole - DIGIT * high]).add_(MIDDLE).to(torch.uint8)
        high, low = self._multiplied(digits).chunk(2)
        made = torch.add(low, high, alpha=DIGIT).mul_(unit).unflatten(0, x.shape[:-1])
        return made if self._bias is None else made.add_(self._bias)

    def _multiplied(self, digits: Tensor) -> Tensor:
        return torch.ops.onednn.qlinear_pointwise(
            digits, 1.0, MIDDLE, self._packed, self._scale, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )


NARROW: dict[str, Callable[[Tensor, Tensor | None], Product]] = {"fp16": Half, "int8": Quarter}


def _narrow(kept: str) -> Callable[[Tensor, Tensor | None], Product]:
    engines = {"fp16": ("x86", "fbgemm"), "int8": ("x86", "onednn")}[kept]
    if torch.backends.quantized.engine not in engines:
        message = f"DTYPE: this worker's processor or torch multiplies no weights in {kept}; use fp32."
        raise Failure("misconfigured", message)
    return NARROW[kept]


def _some(sizes: Tensor) -> Tensor:
    """Never quite nothing, by which one could not divide."""
    return sizes.clamp(min=1e-30)
