"""XTTS v2's folder as upstream publishes it: `config.json`, `model.pth`, `vocab.json` and `speakers_xtts.pth`.

It is only read: upstream writes an older `model.pth` anew where it stands, which a read-only volume refuses. No code of
a file runs: the settings that such a file carries as upstream's classes become empty ones. Knows no network.
"""

import json
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import is_zipfile

import torch  # type: ignore[import-not-found,unused-ignore]

from basics.errors import Failure
from models.engines.xtts import slug

CONFIG, MODEL, VOCABULARY, SPEAKERS = "config.json", "model.pth", "vocab.json", "speakers_xtts.pth"
HOW = "`python -m builder.fetch_weights --group cloning --model xtts-v2` fetches it."
WANTED = ("gpt.", "hifigan_decoder.", "mel_stats")
UNUSED = ("gpt.gpt_inference.", "gpt.text_head.")

Tensor = Any


@dataclass(frozen=True, slots=True)
class Habits:
    """What the weights do not tell."""

    heads: int
    signs: int
    """Of a text, without those around it: fewer than these."""
    tokens: int
    """Of a line's sound, its stop among them."""
    begin: int
    stop: int
    hears_seconds: float
    """Of a recording, for how it sounds; and in pieces of so many, whose meanings are averaged."""
    piece_seconds: float
    knows_seconds: float
    """Of a recording, for whose voice it is."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        try:
            told = json.loads((folder / CONFIG).read_text("utf-8"))
            args, audio = told["model_args"], told.get("audio", {})
            if not args.get("gpt_use_perceiver_resampler") or audio.get("output_sample_rate", 24_000) != 24_000:
                raise Failure("weights_missing", "These are not the weights of an XTTS v2; version 1 is not served.")
            return cls(
                heads=int(args["gpt_n_heads"]),
                signs=int(args["gpt_max_text_tokens"]),
                tokens=int(args["gpt_max_audio_tokens"]) - 3,  # as upstream's GPT counts them
                begin=int(args["gpt_start_audio_token"]),
                stop=int(args["gpt_stop_audio_token"]),
                hears_seconds=float(told.get("gpt_cond_len", 12)),
                piece_seconds=float(told.get("gpt_cond_chunk_len", 4)),
                knows_seconds=float(told.get("max_ref_len", 10)),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise damaged(CONFIG) from error


class _Kept:
    """Settings that an older checkpoint carries as an object: read past."""


_CLASSES = (
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
    "TTS.config.shared_configs.BaseDatasetConfig",
)


_ONE_AT_A_TIME = threading.Lock()
"""What torch may unpickle is the whole process's, and two models may load at once."""


def check(folder: Path) -> None:
    for name in (CONFIG, MODEL, VOCABULARY):
        if not (folder / name).is_file():
            raise Failure("weights_missing", f"XTTS v2's {name} is not on this worker; {HOW}")


def tensors(path: Path) -> dict[str, Tensor]:
    """The networks' tensors by upstream's names, without those of its trainer."""
    found = _read(path)
    held = found.get("model", found)
    if not isinstance(held, Mapping):
        raise damaged(path.name)
    named = {str(name).removeprefix("xtts."): each for name, each in held.items() if torch.is_tensor(each)}
    return {name: each for name, each in named.items() if name.startswith(WANTED) and not name.startswith(UNUSED)}


def speakers(path: Path) -> dict[str, dict[str, Tensor]]:
    """Upstream's own voices, by the ids that presets have."""
    if not path.is_file():
        raise Failure("weights_missing", f"XTTS v2's {SPEAKERS}, which its own voices are in, is not here; {HOW}")
    found = {slug(str(name)): parts for name, parts in _read(path).items() if isinstance(parts, Mapping)}
    whole = {"gpt_cond_latent": 3, "speaker_embedding": 3}
    for parts in found.values():
        if any(not torch.is_tensor(parts.get(name)) or parts[name].dim() != sides for name, sides in whole.items()):
            raise damaged(path.name)
    return {id: {name: parts[name] for name in whole} for id, parts in found.items()}


def damaged(name: str) -> Failure:
    return Failure("weights_missing", f"XTTS v2's {name} cannot be read; delete it and fetch it again.")


def _read(path: Path) -> dict[str, Any]:
    """Nothing but tensors and plain values, whatever the file asks for."""
    try:
        with _ONE_AT_A_TIME, torch.serialization.safe_globals([(_Kept, name) for name in _CLASSES]):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (RuntimeError, OSError, ValueError, EOFError, LookupError, TypeError, pickle.UnpicklingError) as error:
        raise damaged(path.name) from error
    if not isinstance(found, dict):
        raise damaged(path.name)
    return found
