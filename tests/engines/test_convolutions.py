from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.engines.convolutions import as_products
from tests.engines import weights

Whole = NDArray[np.integer]


@dataclass(frozen=True)
class Told:
    """A network of one convolution."""

    weights: Whole
    zero: int = 61
    apart: int = 1
    padding: tuple[int, ...] = (0, 0)
    stride: int = 1
    groups: int = 1

    def saved(self, path: Path) -> Path:
        places = self.weights.ndim - 2
        node = helper.make_node(
            "ConvInteger",
            ["sound", "weights", "silence", "zero"],
            ["heard"],
            dilations=[self.apart] * places,
            pads=list(self.padding) if places == 1 else [*self.padding, *self.padding],
            strides=[self.stride] * places,
            group=self.groups,
        )
        held = {"weights": self.weights, "zero": np.array(self.zero, self.weights.dtype)}
        graph = helper.make_graph(
            [node],
            "one",
            [
                helper.make_tensor_value_info("sound", TensorProto.UINT8, [None] * self.weights.ndim),
                helper.make_tensor_value_info("silence", TensorProto.UINT8, []),
            ],
            [helper.make_tensor_value_info("heard", TensorProto.INT32, [None] * self.weights.ndim)],
            [numpy_helper.from_array(numbers, name) for name, numbers in held.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        model.ir_version = 9
        onnx.save(model, str(path))
        return path


def drawn(outputs: int, inputs: int, taps: int, seed: int = 0, most: int = 127) -> Whole:
    return np.random.default_rng(seed).integers(0, most, (outputs, inputs, taps), np.uint8, endpoint=True)


def kinds(network: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(network).graph.node}


def heard(network: str | bytes, sound: Whole, silence: int) -> Whole:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    found: Whole = session.run(None, {"sound": sound, "silence": np.array(silence, np.uint8)})[0]
    return found


@pytest.mark.parametrize("length", [1, 7, 300])
@pytest.mark.parametrize(
    "told",
    [
        Told(drawn(16, 8, 1)),
        Told(drawn(16, 8, 1), padding=(2, 0)),
        Told(drawn(32, 16, 3), padding=(1, 1)),
        Told(drawn(8, 4, 11), apart=5, padding=(25, 25)),
        Told(drawn(1, 20, 7), apart=3, padding=(18, 4)),
        Told(drawn(5, 3, 2) + np.uint8(100), zero=160, padding=(1, 0)),
        Told(drawn(5, 3, 2, most=9), zero=0, padding=(0, 1)),
    ],
)
def test_every_number_is_what_the_convolution_gave(tmp_path: Path, told: Told, length: int) -> None:
    path = told.saved(tmp_path / "one.onnx")
    written = as_products(path)
    assert "ConvInteger" not in kinds(written)
    assert "MatMulInteger" in kinds(written)
    for silence in (0, 128, 255):
        sound = np.random.default_rng(length).integers(0, 256, (2, told.weights.shape[1], length), np.uint8)
        assert np.array_equal(heard(written, sound, silence), heard(str(path), sound, silence))


@pytest.mark.parametrize(
    "told",
    [
        Told(drawn(16, 8, 3), stride=2, padding=(1, 1)),
        Told(drawn(16, 4, 3), groups=2, padding=(1, 1)),
        Told(drawn(16, 8, 3, most=255), padding=(1, 1)),
        Told(drawn(16, 8, 3)[..., None].repeat(3, axis=3), padding=(1, 1)),
    ],
    ids=["strides", "groups", "weights in more than seven bits", "two dimensions"],
)
def test_what_cannot_be_written_so_stays(tmp_path: Path, told: Told) -> None:
    path = told.saved(tmp_path / "one.onnx")
    assert kinds(as_products(path)) == {"ConvInteger"}


def test_weights_that_come_from_other_nodes_stay(tmp_path: Path) -> None:
    model = onnx.load(str(Told(drawn(16, 8, 3)).saved(tmp_path / "one.onnx")))
    model.graph.node.insert(0, helper.make_node("Identity", ["weights"], ["moved"]))
    model.graph.node[1].input[1] = "moved"
    onnx.save(model, str(tmp_path / "two.onnx"))
    assert "ConvInteger" in kinds(as_products(tmp_path / "two.onnx"))


def test_weights_that_two_convolutions_share_are_there_for_both(tmp_path: Path) -> None:
    told = Told(drawn(8, 8, 3), padding=(1, 1))
    model = onnx.load(str(told.saved(tmp_path / "one.onnx")))
    strided = onnx.NodeProto()
    strided.CopyFrom(model.graph.node[0])
    strided.output[0] = "other"
    next(each for each in strided.attribute if each.name == "strides").ints[:] = [2]
    model.graph.node.append(strided)
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.INT32, [None] * 3))
    onnx.save(model, str(tmp_path / "two.onnx"))
    assert kinds(as_products(tmp_path / "two.onnx")) >= {"ConvInteger", "MatMulInteger"}
    sound = np.full((1, 8, 50), 9, np.uint8)
    was = heard(str(tmp_path / "two.onnx"), sound, 0)
    assert np.array_equal(heard(as_products(tmp_path / "two.onnx"), sound, 0), was)


def test_a_file_that_is_no_network_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "half.onnx").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"half\.onnx is not an ONNX network"):
        as_products(tmp_path / "half.onnx")


@pytest.mark.engine
@pytest.mark.parametrize("cores", [1, 2])
def test_kokoros_sound_is_the_same_to_the_bit(cores: int) -> None:
    path = weights.kokoro() / "kokoro-v1.0.int8.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = cores, 3
    given = {
        "tokens": np.array([[0, *range(43, 73), 16, 50, 83, 4, 0]], np.int64),
        "style": np.load(weights.kokoro() / "voices-v1.0.bin")["jf_alpha"][34],
        "speed": np.ones(1, np.float32),
    }
    was, now = (
        onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"]).run(None, given)[0]
        for network in (str(path), as_products(path))
    )
    assert was.size > 24_000
    assert np.array_equal(was, now)
