"""XTTS v2's folder: read-only, offline, of older makers, damaged, and with code in it."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from builder.environment import ROOT
from models.engines.shims import stand_ins
from models.engines.xtts import Xtts
from tests.engines import tiny_xtts
from tests.engines.xtts_lines import alone, apart, line, preset

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xtts.make(tmp_path_factory.mktemp("weights") / "xtts-v2", frames=20)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """One of the test's own."""
    return Path(shutil.copytree(whole, tmp_path / "xtts-v2"))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def changed(path: Path, change: Any) -> None:
    import torch

    found = torch.load(path, weights_only=True)
    torch.save(change(found), path)


def refused(folder: Path) -> Failure:
    with pytest.raises(Failure) as error:
        Xtts.load(folder, "cpu", "")
    assert error.value.code == "weights_missing"
    return error.value


def settings() -> Any:
    """As older checkpoints carry them: an object of upstream's."""
    with stand_ins():
        from TTS.config.shared_configs import BaseDatasetConfig  # type: ignore[import-not-found,unused-ignore]

    told = tiny_xtts.config()
    told.datasets = [BaseDatasetConfig()]
    return told


def test_a_folder_that_is_read_only_and_offline_speaks_and_stays_as_it_is(folder: Path) -> None:
    changed(folder / "model.pth", lambda found: {**found, "config": settings()})
    before = digests(folder)
    for path in (*folder.iterdir(), folder):
        path.chmod(stat.S_IREAD | (stat.S_IEXEC if path.is_dir() else 0))
    try:
        code = (
            "import socket, sys, resource\n"
            "def no(*_, **__): raise OSError('offline')\n"
            "socket.socket.connect = socket.getaddrinfo = no\n"
            "from pathlib import Path\n"
            "from models.engines.xtts import Xtts\n"
            "from tests.engines.xtts_lines import alone, line\n"
            f"xtts = Xtts.load(Path({str(folder)!r}), 'cpu', '')\n"
            "print(len(alone(xtts, line(xtts, 0))))\n"
            "print([name for name in ('TTS', 'trainer', 'transformers', 'librosa') if name in sys.modules])\n"
        )
        path = os.pathsep.join(filter(None, sys.path))
        told = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": path}
        done = subprocess.run(
            (sys.executable, "-W", "ignore", "-c", code), cwd=ROOT, env=told, capture_output=True, text=True
        )
    finally:
        folder.chmod(stat.S_IRWXU)
    assert done.returncode == 0, done.stderr[-2000:]
    length, *imported = done.stdout.splitlines()
    assert int(length) > 4000
    assert imported == ["[]"]
    assert digests(folder) == before


def test_a_trainers_checkpoint_is_read_by_its_own_names(whole: Path, folder: Path) -> None:
    import torch

    def trained(found: dict[str, Any]) -> dict[str, Any]:
        held = {f"xtts.{name}": each for name, each in found["model"].items()}
        rest = {"torch_mel_spectrogram_dvae.mel_norms": torch.ones(80), "dvae.codebook.embed": torch.ones(4)}
        return {"model": held | rest, "config": found["config"], "optimizer": {"state": {}}, "step": 7}

    changed(folder / "model.pth", trained)
    one, other = (Xtts.load(place, "cpu", "") for place in (whole, folder))
    assert apart(alone(one, line(one, 0)), alone(other, line(other, 0))) < 1e-6


@pytest.mark.parametrize("name", ["model.pth", "config.json", "vocab.json"])
def test_a_file_that_is_missing_is_named_with_what_fetches_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    error = refused(folder)
    assert name in error.message
    assert "fetch_weights" in error.message


@pytest.mark.parametrize("name", ["model.pth", "config.json", "vocab.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x02garbage"])
def test_a_damaged_file_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert f"{name} cannot be read" in refused(folder).message


def test_weights_without_a_part_of_the_network_are_refused(folder: Path) -> None:
    def cut(found: dict[str, Any]) -> dict[str, Any]:
        held = {name: each for name, each in found["model"].items() if not name.startswith("gpt.mel_head")}
        return {**found, "model": held}

    changed(folder / "model.pth", cut)
    assert "model.pth cannot be read" in refused(folder).message


def test_the_first_version_is_not_taken_for_the_second(folder: Path) -> None:
    told = json.loads((folder / "config.json").read_text())
    told["model_args"]["gpt_use_perceiver_resampler"] = False
    (folder / "config.json").write_text(json.dumps(told))
    assert "version 1" in refused(folder).message


class Evil:
    def __init__(self, into: Path) -> None:
        self._into = into

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._into),)


@pytest.mark.parametrize("name", ["model.pth", "speakers_xtts.pth"])
def test_code_in_a_file_is_not_run(folder: Path, tmp_path: Path, name: str) -> None:
    import torch

    proof = tmp_path / "proof"
    torch.save({"model": {}, "Claribel Dervla": Evil(proof)}, folder / name)
    with pytest.raises(Failure, match=f"{name} cannot be read"):
        Xtts.load(folder, "cpu", "").prepare(preset())
    assert not proof.exists()


def test_without_upstreams_voices_it_loads_and_says_which_file_they_are_in(folder: Path) -> None:
    (folder / "speakers_xtts.pth").unlink()
    xtts = Xtts.load(folder, "cpu", "")
    with pytest.raises(Failure, match=r"speakers_xtts\.pth") as error:
        xtts.prepare(preset())
    assert error.value.code == "weights_missing"
    assert xtts.prepare(preset("heart"))


@pytest.mark.parametrize("parts", [{}, {"gpt_cond_latent": 1.0}, {"gpt_cond_latent": [[[1.0]]]}])
def test_voices_of_another_shape_are_refused(folder: Path, parts: dict[str, Any]) -> None:
    import torch

    made = {name: torch.tensor(each) for name, each in parts.items()}
    torch.save({"Claribel Dervla": {"speaker_embedding": torch.zeros(1, 512, 1), **made}}, folder / "speakers_xtts.pth")
    with pytest.raises(Failure, match="cannot be read"):
        Xtts.load(folder, "cpu", "").prepare(preset())


def test_a_card_that_is_not_there_is_misconfigured(whole: Path) -> None:
    with pytest.raises(Failure, match="DEVICE=cpu") as error:
        Xtts.load(whole, "cuda:0", "")
    assert error.value.code == "misconfigured"


def test_a_precision_that_it_does_not_come_in_is_refused(folder: Path) -> None:
    with pytest.raises(Failure, match="fp32, fp16, bf16") as error:
        Xtts.load(folder, "cpu", "int8")
    assert error.value.code == "misconfigured"
