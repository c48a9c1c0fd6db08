"""Upstream's networks without all that upstream imports beside them: six seconds of a cold start become one.

`with lean():` around imports from `chatterbox.models`. Its packages are then only folders, so that nothing but the
named module runs; diffusers and librosa are stood in for by the little that is used of them, torchaudio by itself
when it is first used. Afterwards `sys.modules` is as it was but for the modules asked for, which anybody may share.
Imported only where torch is.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import numpy as np
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray
from torch import nn  # type: ignore[import-not-found,unused-ignore]

from models.engines.shims import absent, stand_ins

Tensor = Any


@contextmanager
def lean() -> Iterator[None]:
    with stand_ins():
        added: dict[str, ModuleType] = {}
        for name in (*_FOLDERS, *_NAMES):
            if _wanted(name):
                added[name] = sys.modules[name] = _module(name)
        try:
            yield
        finally:
            for name, module in added.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]


class Attention(nn.Module):  # type: ignore[misc,unused-ignore]
    """Of a flow's block, named as in the published weights; a row hears itself, less where `attention_mask` says."""

    def __init__(self, query_dim: int, heads: int, dim_head: int, dropout: float, bias: bool, **_: Any) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(query_dim, heads * dim_head, bias=bias) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(heads * dim_head, query_dim), nn.Dropout(dropout)])

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: None = None, attention_mask: Tensor | None = None
    ) -> Tensor:
        """`attention_mask`: `[rows, 1, places]` or `[rows, places, places]`, added to the scores."""
        query, key, value = (
            made(hidden_states).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for made in (self.to_q, self.to_k, self.to_v)
        )
        mask = None if attention_mask is None else attention_mask[:, None]
        heard = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.to_out[1](self.to_out[0](heard.transpose(1, 2).flatten(2).to(query.dtype)))


class GELU(nn.Module):  # type: ignore[misc,unused-ignore]
    def __init__(self, dim_in: int, dim_out: int, approximate: str = "none") -> None:
        super().__init__()
        self.proj, self.approximate = nn.Linear(dim_in, dim_out), approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x), approximate=self.approximate)


def activation(name: str) -> Tensor:
    return {"silu": nn.SiLU, "swish": nn.SiLU, "mish": nn.Mish, "gelu": nn.GELU, "relu": nn.ReLU}[name]()


def mel(*, sr: float, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None) -> NDArray[np.float32]:
    """`[n_mels, 1 + n_fft // 2]`: triangles of one area on Slaney's scale, even under 1 kHz and by octaves above."""
    edges = _hertz(np.linspace(_slaney(fmin), _slaney(sr / 2 if fmax is None else fmax), n_mels + 2))
    away = np.arange(1 + n_fft // 2) * (sr / n_fft) - edges[:, None]
    rise, fall = away[:-2] / np.diff(edges)[:-1, None], -away[2:] / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rise, fall))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_KNEE, _STEP = 1000.0, 200 / 3
"""Hertz: where the scale bends, and a mel below it."""
_OCTAVES = math.log(6.4) / 27


def _slaney(hertz: float) -> float:
    return hertz / _STEP if hertz < _KNEE else _KNEE / _STEP + math.log(hertz / _KNEE) / _OCTAVES


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    bent = np.maximum(mels - _KNEE / _STEP, 0)
    made: NDArray[np.float64] = np.where(bent > 0, _KNEE * np.exp(_OCTAVES * bent), mels * _STEP)
    return made


def window(name: str, size: int, fftbins: bool = True) -> NDArray[np.float64]:
    """Hann's, the only one that is asked for."""
    if name != "hann":
        raise ValueError(name)
    made: NDArray[np.float64] = np.hanning(size + 1)[:-1] if fftbins else np.hanning(size)
    return made


def _same(made: Tensor) -> Tensor:
    return made


_FOLDERS = ("chatterbox", "chatterbox.models", "chatterbox.models.t3", "chatterbox.models.t3.inference")
"""Packages that would import everything if they ran."""

_NAMES: Mapping[str, Mapping[str, Any]] = {
    "conformer": {"ConformerBlock": absent("ConformerBlock")},
    "diffusers": {},
    "diffusers.models": {},
    "diffusers.models.activations": {"get_activation": activation},
    "diffusers.models.attention": {
        "GELU": GELU,
        **{name: absent(name) for name in ("GEGLU", "AdaLayerNorm", "AdaLayerNormZero", "ApproximateGELU")},
    },
    "diffusers.models.attention_processor": {"Attention": Attention},
    "diffusers.models.lora": {"LoRACompatibleLinear": nn.Linear},
    "diffusers.utils": {},
    "diffusers.utils.torch_utils": {"maybe_allow_in_graph": _same},
    "librosa": {},
    "librosa.filters": {"mel": mel},
    "scipy.signal": {"get_window": window},
    "torchaudio": {},
    "torchaudio.compliance": {},
    "torchaudio.compliance.kaldi": {},
}
"""What stands in, parents before children, and what is known of it; all else is imported in earnest when first used."""


class _Late(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        package = self.__name__.partition(".")[0]
        for standing, module in [*sys.modules.items()]:
            if type(module) is _Late and standing.partition(".")[0] == package:
                sys.modules.pop(standing, None)
        return getattr(import_module(self.__name__), name)


class _Folder(ModuleType):
    """A package whose modules can be imported, and that runs nothing itself."""


def _wanted(name: str) -> bool:
    """Of a package that is there in earnest nothing is replaced, but for what of scipy nobody has imported yet."""
    package = name.partition(".")[0]
    ours = type(sys.modules.get(package)) in (type(None), _Late, _Folder)
    return name not in sys.modules and (ours or package == "scipy")


def _module(name: str) -> ModuleType:
    module: ModuleType = _Folder(name) if name in _FOLDERS else _Late(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__path__ = _places(name) if name in _FOLDERS else []
    module.__dict__.update(_NAMES.get(name, {}))
    parent, _, own = name.rpartition(".")
    if type(sys.modules.get(parent)) is _Late:
        sys.modules[parent].__dict__[own] = module
    return module


def _places(name: str) -> list[str]:
    parent = sys.modules.get(name.rpartition(".")[0])
    spec = PathFinder.find_spec(name, None if parent is None else list(parent.__path__))
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return list(spec.submodule_search_locations)
