"""ONNX networks in int8, their convolutions written as products of matrices: the same numbers, sooner.

ONNX Runtime packs the weights of `MatMulInteger` once and multiplies several times as fast there as in `ConvInteger`.
So each convolution over time becomes a gathering of what its kernel sees, and one product. All of it is in whole
numbers, so that not a bit changes. It knows no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Whole = NDArray[np.integer]

LEAST, MOST = -64, 63
"""Where weights are moved to: products of two then add up in 16 bits, which is where processors without VNNI do so."""


def as_products(path: Path) -> bytes:
    """The network, ready for a session. A convolution that cannot be written so stays what it is.

    Raises ValueError where the file is no network.
    """
    try:
        model = onnx.load(str(path))
    except DecodeError as error:
        raise ValueError(f"{path.name} is not an ONNX network.") from error
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    nodes, made = list[NodeProto](), dict[str, Whole]()
    for node in graph.node:
        found = Convolution.read(node, held)
        nodes += found.written(made) if found else [node]
    used = {name for node in nodes for name in node.input}
    replaced = {name for node in graph.node for name in node.input} - used
    kept = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    kept += [numpy_helper.from_array(numbers, name) for name, numbers in made.items()]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    return bytes(model.SerializeToString())


@dataclass(frozen=True, slots=True)
class Convolution:
    """Over time, at every place."""

    node: NodeProto
    weights: Whole
    """Outputs, inputs, taps."""
    zero: int
    apart: int
    """Places from tap to tap."""
    padding: tuple[int, int]
    """Places before and after."""

    @classmethod
    def read(cls, node: NodeProto, held: Mapping[str, TensorProto]) -> Self | None:
        if node.op_type != "ConvInteger" or len(node.input) < 4 or not {node.input[1], node.input[3]} <= held.keys():
            return None
        weights, zero = (numpy_helper.to_array(held[node.input[index]]) for index in (1, 3))
        told = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if told.get("group", 1) != 1 or told.get("auto_pad", b"NOTSET") != b"NOTSET":
            return None
        if weights.ndim != 3 or zero.size != 1 or list(told.get("strides", [1])) != [1]:
            return None
        if int(weights.max()) - int(weights.min()) > MOST - LEAST:
            return None
        return cls(node, weights, int(zero.item()), told.get("dilations", [1])[0], tuple(told.get("pads", [0, 0])))

    def written(self, made: dict[str, Whole]) -> list[NodeProto]:
        """Its nodes; what they need goes into `made`, once where several need the same."""
        sound, _, silence, _ = self.node.input
        name = self.node.output[0]
        outputs, inputs, taps = self.weights.shape
        down = int(self.weights.min()) - LEAST
        moved = (self.weights.astype(np.int16) - down).astype(np.int8)
        made[f"{name}:weights"] = np.ascontiguousarray(moved.transpose(2, 1, 0).reshape(taps * inputs, outputs))
        made[f"{name}:zero"] = np.array(self.zero - down, np.int8)
        nodes = [helper.make_node("Transpose", [sound], [f"{name}:places"], perm=[0, 2, 1])]
        seen = f"{name}:places"
        if taps > 1 or any(self.padding):
            nodes += self._gathering(seen, silence, made)
            seen = f"{name}:seen"
        factors = [seen, f"{name}:weights", silence, f"{name}:zero"]
        nodes.append(helper.make_node("MatMulInteger", factors, [f"{name}:product"]))
        nodes.append(helper.make_node("Transpose", [f"{name}:product"], [name], perm=[0, 2, 1]))
        return nodes

    def _gathering(self, places: str, silence: str, made: dict[str, Whole]) -> Sequence[NodeProto]:
        """Of each place, all that the taps see, one after the other."""
        name = self.node.output[0]
        _, inputs, taps = self.weights.shape
        before, after = self.padding
        reach = self.apart * (taps - 1)

        def number(*held: int, shape: tuple[int, ...]) -> str:
            label = "numbers:" + "_".join(map(str, (*shape, *held)))
            made[label] = np.array(held, np.int64).reshape(shape)
            return label

        def node(kind: str, needs: Sequence[str], gives: str, **told: Any) -> NodeProto:
            return helper.make_node(kind, needs, [f"{name}:{gives}"], **told)

        one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
        return [
            node("Pad", [places, number(0, before, 0, 0, after, 0, shape=(6,)), silence], "padded"),
            node("Shape", [f"{name}:padded"], "whole", start=1, end=2),
            node("Sub", [f"{name}:whole", number(reach, shape=(1,))], "length"),
            node("ConstantOfShape", [f"{name}:length"], "ones", value=one),
            node("CumSum", [f"{name}:ones", number(0, shape=())], "row", exclusive=1),
            node("Unsqueeze", [f"{name}:row", number(1, shape=(1,))], "column"),
            node("Add", [f"{name}:column", number(*range(0, reach + 1, self.apart), shape=(1, taps))], "where"),
            node("Gather", [f"{name}:padded", f"{name}:where"], "taps", axis=1),
            node("Reshape", [f"{name}:taps", number(0, -1, taps * inputs, shape=(3,))], "seen"),
        ]
