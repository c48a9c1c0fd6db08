"""F5-TTS's files as people publish them: found, refused by name, and read without running anything in them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.errors import Failure
from builder.environment import ROOT
from models.engines.f5 import F5
from models.groups import table
from tests.engines import tiny_f5
from tests.engines.f5_lines import alone, line

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_f5.make(tmp_path_factory.mktemp("f5"))


@pytest.fixture(scope="module")
def f5(folder: Path) -> F5:
    return F5.load(folder, "cpu", "")


def test_it_loads_from_a_folder_that_nobody_may_write_to_without_the_internet(folder: Path):
    """In a process of its own, where any way to the internet is an error."""
    code = f"""
import socket
def refused(*_, **__):
    raise AssertionError("it went for the internet")
socket.socket.connect = socket.getaddrinfo = refused
from pathlib import Path
from models.engines.f5 import F5
from tests.engines.f5_lines import alone, line
from voices.voice import Voice
engine = F5.load(Path({str(folder)!r}), "cpu", "")
voice = engine.prepare(Voice("heart", "preset", "h"))
print(len(voice["mels"]), len(alone(engine, line(engine, 1, conditioning=voice))))
"""
    held = [folder, *folder.rglob("*")]
    for path in held:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        before = {path: path.stat().st_mtime_ns for path in held}
        done = subprocess.run(
            (sys.executable, "-c", code),
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        frames, samples = map(int, done.stdout.split())
        assert (frames > 100, samples > 10_000) == (True, True)
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == {
            path: time for path, time in before.items() if path != folder
        }
    finally:
        for path in held:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_loading_imports_neither_upstream_nor_its_trainers(folder: Path):
    code = f"""
import sys
from pathlib import Path
from models.engines.f5 import F5
F5.load(Path({str(folder)!r}), "cpu", "").open(1)
heavy = {{"f5_tts", "vocos", "torchaudio", "librosa", "x_transformers", "transformers", "pypinyin"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def copied(folder: Path, into: Path) -> Path:
    """A copy whose files may be taken away."""
    import shutil

    return Path(shutil.copytree(folder, into / "copy"))


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("F5TTS_v1_Base/model_1250000.safetensors", "checkpoint"),
        ("vocos/config.yaml", "vocos"),
        ("vocos/pytorch_model.bin", "vocos"),
    ],
)
def test_a_file_that_is_missing_is_named_with_what_fetches_it(folder: Path, tmp_path: Path, lacking: str, named: str):
    place = copied(folder, tmp_path)
    (place / lacking).unlink()
    with pytest.raises(Failure, match=named) as error:
        F5.load(place, "cpu", "")
    assert error.value.code == "weights_missing"
    assert "fetch_weights" in error.value.message


@pytest.mark.parametrize(
    "broken",
    [
        "F5TTS_v1_Base/model_1250000.safetensors",
        "F5TTS_v1_Base/vocab.txt",
        "vocos/pytorch_model.bin",
        "vocos/config.yaml",
    ],
)
def test_a_damaged_file_is_no_traceback(folder: Path, tmp_path: Path, broken: str):
    place = copied(folder, tmp_path)
    (place / broken).write_bytes(b"nothing of the kind\xff")
    with pytest.raises(Failure, match="weights_missing") as error:
        F5.load(place, "cpu", "")
    assert str(tmp_path) not in error.value.message


def test_another_models_weights_are_refused(folder: Path, tmp_path: Path):
    import torch
    from safetensors.torch import save_file

    place = copied(folder, tmp_path)
    save_file(
        {"ema_model.transformer.layers.0.weight": torch.zeros(2, 2)},
        place / "F5TTS_v1_Base" / "model_1250000.safetensors",
    )
    with pytest.raises(Failure, match="not the weights of F5-TTS"):
        F5.load(place, "cpu", "")


def test_another_models_vocabulary_is_refused(folder: Path, tmp_path: Path):
    place = copied(folder, tmp_path)
    (place / "F5TTS_v1_Base" / "vocab.txt").write_text(" \na\nb\n")
    with pytest.raises(Failure, match=r"3 tokens"):
        F5.load(place, "cpu", "")


def test_another_vocoder_is_refused(folder: Path, tmp_path: Path):
    place = copied(folder, tmp_path)
    told = place / "vocos" / "config.yaml"
    told.write_text(told.read_text().replace("hop_length: 256", "hop_length: 320"))
    with pytest.raises(Failure, match="another vocoder"):
        F5.load(place, "cpu", "")


def test_a_checkpoint_as_trainers_keep_it_speaks_the_same(f5: F5, folder: Path, tmp_path: Path):
    """A `.pt` at the top of the folder, with the averaged weights inside and no vocabulary of its own."""
    import torch
    from safetensors.torch import load_file

    place = copied(folder, tmp_path)
    kept = place / "F5TTS_v1_Base"
    held = dict(load_file(kept / "model_1250000.safetensors"))
    held |= {"initted": torch.tensor(True), "step": torch.tensor(7)}
    torch.save({"ema_model_state_dict": held, "update": 7}, place / "model_last.pt")
    for file in kept.iterdir():
        file.unlink()
    kept.rmdir()
    given = line(f5, 0)
    assert np.array_equal(alone(F5.load(place, "cpu", ""), given), alone(f5, given))


def test_a_checkpoint_that_would_run_code_is_refused(folder: Path, tmp_path: Path):
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.mkdir, (tmp_path / "exploded",))

    place = copied(folder, tmp_path)
    (place / "F5TTS_v1_Base" / "model_1250000.safetensors").unlink()
    (place / "model_last.pt").write_bytes(pickle.dumps({"model_state_dict": Bomb()}, protocol=2))
    with pytest.raises(Failure, match="weights_missing"):
        F5.load(place, "cpu", "")
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_that_holds_no_names_is_refused(folder: Path, tmp_path: Path):
    import torch

    place = copied(folder, tmp_path)
    (place / "F5TTS_v1_Base" / "model_1250000.safetensors").unlink()
    torch.save([torch.zeros(2)], place / "model_last.pt")
    with pytest.raises(Failure, match="cannot be read") as error:
        F5.load(place, "cpu", "")
    assert error.value.code == "weights_missing"


def test_a_card_that_is_not_there_is_misconfigured(folder: Path):
    with pytest.raises(Failure, match="DEVICE=cpu") as error:
        F5.load(folder, "cuda:0", "")
    assert error.value.code == "misconfigured"


def test_the_newest_of_several_checkpoints_is_taken(tmp_path: Path):
    from models.engines import f5_weights

    for name in ("model_9000.pt", "model_10000.pt", "model_last.pt"):
        (tmp_path / name).touch()
    (tmp_path / "vocab.txt").write_text(" \n")
    (tmp_path / "vocos").mkdir()
    for name in ("config.yaml", "pytorch_model.bin"):
        (tmp_path / "vocos" / name).touch()
    assert f5_weights.find(tmp_path).checkpoint.name == "model_10000.pt"
    (tmp_path / "config.yaml").write_text("model: {name: F5TTS_Base, arch: {pe_attn_head: null}}")
    assert f5_weights.find(tmp_path).habits == f5_weights.Habits(masks_text=False, turned_heads=None)


def test_half_precision_is_close_and_an_unknown_one_refused(f5: F5, folder: Path):
    given = line(f5, 0)
    rough = alone(F5.load(folder, "cpu", "bf16"), given)
    exact = alone(f5, given)
    assert len(rough) == len(exact)
    assert np.corrcoef(rough, exact)[0, 1] > 0.9
    with pytest.raises(Failure, match="DTYPE"):
        F5.load(folder, "cpu", "int8")


def test_the_table_names_the_files_that_the_loader_looks_for(folder: Path):
    entry = next(entry for entry in table() if entry.id == "f5-tts")
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {file.path for file in entry.files} <= made
