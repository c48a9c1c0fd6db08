"""What stands in for others' code around upstream's networks, against that code; and how little is imported."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from builder.environment import ROOT
from models.engines import chatterbox_upstream as ours
from models.engines.shims import stand_ins

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


@pytest.mark.parametrize("padded", [False, True])
def test_attention_and_its_weights_are_diffusers_own(padded: bool) -> None:
    with stand_ins():
        from diffusers.models.attention_processor import Attention  # type: ignore[import-not-found,unused-ignore]

    torch.manual_seed(1)
    theirs = Attention(query_dim=32, heads=4, dim_head=16, dropout=0.0, bias=False, cross_attention_dim=None).eval()
    mine = ours.Attention(query_dim=32, heads=4, dim_head=16, dropout=0.0, bias=False).eval()
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 20, 32)
    bias = torch.zeros(3, 1, 20).masked_fill(torch.arange(20) >= torch.tensor([20, 7, 13])[:, None, None], -1e10)
    given = {"attention_mask": bias} if padded else {}
    with torch.inference_mode():
        assert torch.allclose(mine(x, **given), theirs(x, **given), atol=1e-6)


def test_activations_and_their_weights_are_diffusers_own() -> None:
    with stand_ins():
        from diffusers.models.activations import (  # type: ignore[import-not-found,unused-ignore]
            GELU,
            get_activation,
        )

    x = torch.randn(5, 8)
    for approximate in ("none", "tanh"):
        theirs, mine = (make(8, 12, approximate=approximate) for make in (GELU, ours.GELU))
        mine.load_state_dict(theirs.state_dict())
        assert torch.equal(mine(x), theirs(x))
    for name in ("silu", "mish", "gelu"):
        assert torch.equal(ours.activation(name)(x), get_activation(name)(x))


@pytest.mark.parametrize(
    "asked",
    [
        {"sr": 24_000, "n_fft": 1920, "n_mels": 80, "fmin": 0, "fmax": 8000},
        {"sr": 16_000, "n_fft": 400, "n_mels": 128},
        {"sr": 16_000, "n_fft": 400, "n_mels": 40, "fmin": 0, "fmax": 8000},
    ],
)
def test_mel_filters_are_librosas_own(asked: dict[str, float]) -> None:
    from librosa.filters import mel  # type: ignore[import-not-found,unused-ignore]

    theirs, mine = mel(**asked), ours.mel(**asked)  # type: ignore[arg-type]
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    assert np.abs(mine - theirs).max() < 1e-8


def test_the_window_is_scipys_own() -> None:
    from scipy.signal import get_window  # type: ignore[import-untyped,unused-ignore]

    for whole in (True, False):
        assert np.allclose(ours.window("hann", 16, fftbins=whole), get_window("hann", 16, fftbins=whole))
    with pytest.raises(ValueError, match="boxcar"):
        ours.window("boxcar", 16)


def test_what_the_engine_imports_brings_nothing_heavy_and_leaves_nothing_behind() -> None:
    code = """
import sys, torch
from models.engines.chatterbox_upstream import lean
with lean():
    from chatterbox.models.s3gen import S3Gen
    from chatterbox.models.voice_encoder import VoiceEncoder
    from chatterbox.models.t3.inference import alignment_stream_analyzer
heavy = "transformers diffusers librosa numba scipy.signal torchaudio sklearn chatterbox conformer"
print([name for name in heavy.split() if name in sys.modules])
"""
    assert _run(code) == "[]\n"


def test_what_stands_in_becomes_the_real_thing_when_more_of_it_is_wanted() -> None:
    code = """
import sys, torch
from models.engines.chatterbox_upstream import lean
with lean():
    from chatterbox.models.s3gen import xvector
    import scipy.signal
print(xvector.Kaldi.fbank.__module__, type(sys.modules["torchaudio"]).__name__)
print(scipy.signal.lfilter.__module__.partition(".")[0], type(sys.modules["scipy.signal"]).__name__)
"""
    assert _run(code) == "torchaudio.compliance.kaldi module\nscipy module\n"


def test_all_of_upstream_can_still_be_imported_and_shares_the_engines_networks() -> None:
    from tests.engines import tiny_chatterbox

    whole = tiny_chatterbox.upstream()
    with ours.lean():
        from chatterbox.models.s3gen import S3Gen  # type: ignore[import-not-found,unused-ignore]
    assert whole.tts.S3Gen is S3Gen
    assert whole.ChatterboxTTS.__module__ == "chatterbox.tts"


def _run(code: str) -> str:
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        (sys.executable, "-W", "ignore", "-c", code), cwd=ROOT, env=offline, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
