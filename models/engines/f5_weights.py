"""F5-TTS's files as people publish them: a checkpoint, its vocabulary, the vocoder, and what the weights do not tell.

Upstream's release is `F5TTS_v1_Base/model_1250000.safetensors` with `vocab.txt` beside it. Fine-tuned ones come as
`.safetensors` or as a trainer's `.pt`, the averaged weights under `ema_model`, often without a vocabulary of their
own. The vocoder is `vocos/`: `config.yaml` and `pytorch_model.bin`. Knows no network and runs no code of a file.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from basics.errors import Failure

RELEASE = "F5TTS_v1_Base"
FIRST_RELEASE = "F5TTS_Base"
VOCODER = "vocos"
HOW = "`python -m builder.fetch_weights --group cloning --model f5-tts` fetches it."
_NOT_WEIGHTS = {"initted", "step", "update"}
_NESTED = ("ema_model_state_dict", "model_state_dict", "state_dict")

Tensor = Any
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Habits:
    """What the first release did otherwise and no weight tells."""

    masks_text: bool = True
    """Whether what lies beyond the text is zero all the way."""
    turned_heads: int | None = None
    """Heads that know where a frame is; all of them where None."""


FIRST_HABITS = Habits(masks_text=False, turned_heads=1)


@dataclass(frozen=True, slots=True)
class Files:
    checkpoint: Path
    vocabulary: Path
    vocoder: Path
    habits: Habits


def find(folder: Path) -> Files:
    """Raises `weights_missing` naming what is not there."""
    checkpoint = _checkpoint(folder)
    vocoder = next(
        (place for place in (folder / VOCODER, folder.parent / "f5-tts" / VOCODER) if _is_vocoder(place)), None
    )
    if vocoder is None:
        raise Failure("weights_missing", f"f5-tts's vocoder, `{VOCODER}/`, is not on this worker; {HOW}")
    return Files(checkpoint, _vocabulary(checkpoint, folder), vocoder, _habits(checkpoint, folder))


def checkpoint(path: Path) -> dict[str, Tensor]:
    """The network's tensors by upstream's names, without what is around them."""
    found = _read(path)
    for name in _NESTED:
        if isinstance(found.get(name), Mapping):
            found = found[name]
            break
    named = {_bare(name): held for name, held in found.items() if name not in _NOT_WEIGHTS}
    return {name.removeprefix("transformer."): held for name, held in named.items() if name.startswith("transformer.")}


def vocoder(place: Path) -> dict[str, Tensor]:
    """The vocoder's tensors. Its configuration is only compared: of one with another grid nothing would be heard."""
    import yaml  # type: ignore[import-untyped,unused-ignore]

    try:
        told = yaml.safe_load((place / "config.yaml").read_text())
        parts = [told[part]["init_args"] for part in ("feature_extractor", "head")]
    except (OSError, yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Failure("weights_missing", damaged("vocoder")) from error
    if any((part.get("hop_length"), part.get("n_fft"), part.get("padding")) != (256, 1024, "center") for part in parts):
        raise Failure("weights_missing", f"f5-tts's `{VOCODER}/` is another vocoder than the one it speaks with; {HOW}")
    return _read(place / "pytorch_model.bin")


def vocabulary(path: Path) -> dict[str, int]:
    """Tokens by line. A line is all there is up to its end: the first one is a space."""
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            return {line.rstrip("\n"): number for number, line in enumerate(lines)}
    except (OSError, UnicodeDecodeError) as error:
        raise Failure("weights_missing", damaged("vocabulary")) from error


def damaged(what: str) -> str:
    return f"f5-tts's {what} cannot be read; delete the files and fetch them again."


def _checkpoint(folder: Path) -> Path:
    found = [
        path
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if path.suffix in (".safetensors", ".pt") and path.is_file() and path.parent.name != VOCODER
    ]
    if not found:
        raise Failure("weights_missing", f"f5-tts's checkpoint is not on this worker; {HOW}")
    return max(found, key=lambda path: (path.parent.name == RELEASE, path.suffix == ".safetensors", _step(path), path))


def _step(path: Path) -> int:
    """A trainer numbers its checkpoints; the last one it calls `last`."""
    return max((int(number) for number in re.findall(r"\d+", path.stem)), default=-1)


def _is_vocoder(place: Path) -> bool:
    return (place / "config.yaml").is_file() and (place / "pytorch_model.bin").is_file()


def _vocabulary(checkpoint: Path, folder: Path) -> Path:
    """Beside the checkpoint; else upstream's own, which most fine-tuned checkpoints share."""
    for place in (checkpoint.parent, folder):
        if (place / "vocab.txt").is_file():
            return place / "vocab.txt"
    package = find_spec("f5_tts")
    for root in (package.submodule_search_locations or ()) if package else ():
        if (shipped := Path(root) / "infer" / "examples" / "vocab.txt").is_file():
            return shipped
    raise Failure("weights_missing", f"f5-tts's vocab.txt is not on this worker; {HOW}")


def _habits(checkpoint: Path, folder: Path) -> Habits:
    """As a trainer's own `*.yaml` beside it says, else by the name of the folder, else those of the newest release."""
    import yaml

    for path in sorted({*checkpoint.parent.glob("*.yaml"), *folder.glob("*.yaml")}):
        try:
            told = yaml.safe_load(path.read_text())
            model = told["model"]
            arch = model.get("arch") or {}
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
            continue
        known = FIRST_HABITS if model.get("name") == FIRST_RELEASE else Habits()
        return Habits(
            bool(arch.get("text_mask_padding", known.masks_text)), arch.get("pe_attn_head", known.turned_heads)
        )
    return FIRST_HABITS if checkpoint.parent.name == FIRST_RELEASE else Habits()


def _read(path: Path) -> dict[str, Tensor]:
    import torch  # type: ignore[import-not-found,unused-ignore]
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (SafetensorError, RuntimeError, OSError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise Failure("weights_missing", damaged("checkpoint")) from error
    if not isinstance(found, dict):
        raise Failure("weights_missing", damaged("checkpoint"))
    return found


def _bare(name: str) -> str:
    return name.removeprefix("ema_model.").removeprefix("module.")
