"""F5-TTS against upstream's own inference, network and vocoder, over the same random weights and the same noise."""

import importlib
import sys
from math import pi
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from models.engine import Line
from models.engines.f5 import F5, RATE, F5Options, reference
from models.engines.f5_deck import schedule
from models.engines.shims import stand_ins
from tests.engines import tiny_f5
from tests.engines.f5_lines import alone, line, recording

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

HOP = 256
HEARD = 13
"""Frames that the tiny vocoder hears around one, and those that lie in one window of sound."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_f5.make(tmp_path_factory.mktemp("f5"))


@pytest.fixture(scope="module")
def f5(folder: Path) -> F5:
    return F5.load(folder, "cpu", "")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    from safetensors.torch import load_file

    network = tiny_f5.upstream(tiny_f5.TINY)
    held = load_file(folder / "F5TTS_v1_Base" / "model_1250000.safetensors")
    network.load_state_dict({name.removeprefix("ema_model."): tensor for name, tensor in held.items()})
    return network


@pytest.fixture(scope="module")
def vocos(folder: Path) -> Any:
    with stand_ins():
        from vocos import Vocos  # type: ignore[import-not-found,unused-ignore]

    vocoder = Vocos.from_hparams(str(folder / "vocos" / "config.yaml")).eval()
    vocoder.load_state_dict(torch.load(folder / "vocos" / "pytorch_model.bin", weights_only=True))
    return vocoder


def upstream_mels(network: Any, given: Line, frames: int) -> Any:
    """Upstream's own sampling, told how many frames to make."""
    from f5_tts.model.utils import convert_char_to_pinyin  # type: ignore[import-not-found,unused-ignore]

    knobs = given.options
    assert isinstance(knobs, F5Options)
    text = bytes(given.conditioning["transcript"]).decode() + given.text
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        made, _ = network.sample(
            cond=torch.from_numpy(given.conditioning["mels"])[None],
            text=convert_char_to_pinyin([text]),
            duration=frames,
            steps=knobs.steps,
            cfg_strength=knobs.guidance,
            sway_sampling_coef=knobs.sway,
            use_epss=knobs.pruned,
            seed=given.seed,
        )
    return made[0, len(given.conditioning["mels"]) :]


@pytest.mark.parametrize("number", range(8))
def test_a_line_is_what_upstream_makes_of_the_same_noise(f5: F5, theirs: Any, vocos: Any, number: int):
    given = line(f5, number)
    sound = alone(f5, given)
    frames = len(given.conditioning["mels"]) + len(sound) // HOP + 1
    mels = upstream_mels(theirs, given, frames)
    expected = vocos.decode(mels.T[None])[0].numpy()
    assert len(expected) == len(sound)
    assert np.abs(sound - expected).max() < 1e-3


def test_a_recordings_mel_frames_are_upstreams(f5: F5, theirs: Any):
    sound, _ = reference(recording(3).samples, RATE)  # type: ignore[arg-type]
    expected = theirs.mel_spec(torch.from_numpy(sound)[None])[0].T.numpy()
    assert np.abs(f5.prepare(recording(3))["mels"] - expected).max() < 1e-3


def test_the_first_release_is_read_with_the_habits_it_was_made_with(tmp_path: Path):
    from safetensors.torch import load_file

    habits = {"text_mask_padding": False, "pe_attn_head": 1}
    folder = tiny_f5.make(tmp_path, **habits)
    (folder / "F5TTS_v1_Base").rename(folder / "F5TTS_Base")
    network = tiny_f5.upstream(tiny_f5.TINY, **habits)
    held = load_file(folder / "F5TTS_Base" / "model_1250000.safetensors")
    network.load_state_dict({name.removeprefix("ema_model."): tensor for name, tensor in held.items()})
    f5 = F5.load(folder, "cpu", "")
    given = line(f5, 0)
    sound = alone(f5, given)
    mels = upstream_mels(network, given, len(given.conditioning["mels"]) + len(sound) // HOP + 1)
    assert np.abs(sound - f5._vocoder.sound(mels)).max() < 1e-3


@pytest.fixture
def inference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Upstream's own, as its commands call it; what its module imports for pictures and files is not installed."""
    for name in ("matplotlib", "matplotlib.pylab", "pydub"):
        module = ModuleType(name)
        module.__dict__.update(use=print, AudioSegment=None, silence=None, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    with stand_ins():
        return importlib.import_module("f5_tts.infer.utils_infer").infer_batch_process


@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_a_line_is_what_upstreams_command_says_but_for_the_frame_of_the_reference_before_it(
    f5: F5, theirs: Any, vocos: Any, inference: Any, number: int
):
    given = line(f5, number)
    knobs = given.options
    assert isinstance(knobs, F5Options)
    sound = alone(f5, given)
    frames = len(given.conditioning["mels"]) + len(sound) // HOP + 1
    heard, _ = reference(recording(number, 1.5 + number / 4).samples, RATE)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(given.seed)
        ((expected, rate, _),) = inference(
            (torch.from_numpy(heard)[None], RATE),
            bytes(given.conditioning["transcript"]).decode().strip(),
            [given.text],
            theirs,
            vocos,
            progress=None,
            target_rms=0.0,
            nfe_step=knobs.steps,
            cfg_strength=knobs.guidance,
            sway_sampling_coef=knobs.sway,
            fix_duration=(frames + 0.5) * HOP / RATE,
            device="cpu",
        )
    assert rate == RATE
    assert len(expected) == len(sound) + HOP
    assert np.abs(sound - expected[HOP:])[HEARD * HOP :].max() < 1e-3


@pytest.mark.parametrize("sway", [-1.0, None, 0.4])
@pytest.mark.parametrize("pruned", [True, False])
def test_a_line_steps_at_the_times_at_which_upstream_does(sway: float | None, pruned: bool):
    """Upstream's seven of 32 among them."""
    with stand_ins():
        from f5_tts.model.utils import get_epss_timesteps  # type: ignore[import-not-found,unused-ignore]
    for steps in range(2, 33):
        even = torch.linspace(0, 1, steps + 1)
        times = get_epss_timesteps(steps, device="cpu", dtype=torch.float32) if pruned else even
        if sway is not None:
            times = times + sway * (torch.cos(pi / 2 * times) - 1 + times)
        ours = schedule(F5Options(steps=steps, sway=sway, pruned=pruned))
        assert ours == pytest.approx(times.tolist(), abs=1e-6), steps
