"""Kokoro on ONNX Runtime: 54 small clear voices without torch, on a CPU or through CUDA's provider.

A voice is a matrix with one style for each length of text; a blend is a weighted sum of those. Sound comes whole,
at most 510 phonemes at a time, which upstream splits and joins.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples, as_mono
from basics.errors import Failure
from models.card import Card
from models.cards import KOKORO_PRESETS, kokoro_presets
from models.engine import Conditioning, Engine, Line
from models.engines.phonemes import ENGLISH, ESPEAK, Reader
from voices.voice import Voice

if TYPE_CHECKING:
    from kokoro_onnx import Kokoro as Network

FILES = {"int8": "kokoro-v1.0.int8.onnx", "fp16": "kokoro-v1.0.fp16.onnx", "fp32": "kokoro-v1.0.onnx"}
"""By precision; the first that is there is taken unless DTYPE asks for one."""
SPELLINGS = {"float32": "fp32", "float16": "fp16", "half": "fp16"}
VOICES = ("voices-v1.0.bin", "voices-v1.0.npz")
"""Both are an npz."""
HEADROOM = 0.7
"""Upstream's peaks reach 1.22; one factor for all brings them inside without changing one line against another."""
LOUDNESS = {"jf_alpha": -23.1, "jf_gongitsune": -24.0, "jf_nezumi": -24.0, "jf_tebukuro": -24.0, "jm_kumo": -23.3}
"""LUFS with `HEADROOM`, measured on English by the int8 file; the other voices were not at hand."""
STYLE = (510, 1, 256)
CPU = ["CPUExecutionProvider"]


class KokoroOnnx(Engine):
    card: ClassVar[Card] = Card(
        "kokoro",
        "Kokoro",
        languages=(*ENGLISH, *ESPEAK),
        rate=24_000,
        licence="Apache-2.0",
        help="54 small clear voices that blend. Japanese and Chinese voices speak other languages here, not their own.",
        presets=kokoro_presets(LOUDNESS),
        crosslingual=True,
        blends=True,
        speed=(0.5, 2.0),
        repeatable="exact",
        memory=0.4,
        comfortable=300,
        pace=17.0,
    )

    def __init__(self, network: "Network", styles: Mapping[str, NDArray[np.float32]]) -> None:
        self._network, self._styles, self._reader = network, styles, Reader()

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        import onnxruntime  # type: ignore[import-untyped]
        from kokoro_onnx import Kokoro as Network

        voices = _first(weights, VOICES, "voices")
        model = _first(weights, [FILES[_precision(dtype)]] if dtype else list(FILES.values()), "model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _cores()
        providers = _providers(onnxruntime, device)
        rewritten = model.name == FILES["int8"] and providers == CPU
        # Buffers are shared by the arena all the same, and a plan for thousands of them takes seconds.
        options.enable_mem_reuse = not rewritten
        faults = onnxruntime.capi.onnxruntime_pybind11_state
        try:
            styles = _styles(voices)
            network = _products(model) if rewritten else str(model)
            session = onnxruntime.InferenceSession(network, options, providers=providers)
        except (faults.Fail, faults.InvalidProtobuf, faults.InvalidGraph, OSError, ValueError, BadZipFile) as error:
            raise Failure("weights_missing", "kokoro's files are damaged; delete and fetch them again.") from error
        # Upstream asks a session for its file, which one that was made from memory does not know.
        session._model_path = str(model)
        return cls(Network.from_session(session, str(voices)), styles)

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.kind == "blend":
            return {"style": np.sum([self._style(part) * np.float32(share) for part, share in voice.parts], axis=0)}
        return {"style": self._style(voice)}

    def speak(self, line: Line) -> Iterator[Samples]:
        phonemes = self._reader.phonemes(line.text, line.language)
        if not any(char.isalpha() for char in self._network.tokenizer.known(phonemes)):
            shown = line.text if len(line.text) <= 40 else f"{line.text[:40]}…"
            raise Failure("invalid_input", f"kokoro cannot pronounce “{shown}” as `{line.language}`.", field="text")
        style = np.asarray(line.conditioning["style"], np.float32)
        sound, _ = self._network.create(phonemes, style, line.speed, is_phonemes=True)
        yield np.clip(as_mono(sound) * np.float32(HEADROOM), -1.0, 1.0)

    def _style(self, voice: Voice) -> NDArray[np.float32]:
        if voice.kind != "preset":
            raise Failure("voice_unusable", "kokoro speaks in its own voices and blends of them only.", field="voice")
        if voice.id in self._styles:
            return self._styles[voice.id]
        if voice.id in KOKORO_PRESETS:
            raise Failure(
                "weights_missing",
                f"The voice `{voice.id}` is not among this worker's files of kokoro; "
                "`python -m builder.fetch_weights --model kokoro` fetches all.",
                field="voice",
            )
        raise Failure("unknown_voice", f"kokoro has no voice `{voice.id}`.", field="voice")


def _styles(voices: Path) -> dict[str, NDArray[np.float32]]:
    with np.load(voices, allow_pickle=False) as held:
        return {id: np.asarray(held[id], np.float32) for id in held.files if held[id].shape == STYLE}


def _precision(dtype: str) -> str:
    wanted = SPELLINGS.get(dtype, dtype)
    if wanted not in FILES:
        raise Failure("misconfigured", f"DTYPE: kokoro on ONNX comes in {', '.join(FILES)}, not `{dtype}`.")
    return wanted


def _first(weights: Path, names: list[str] | tuple[str, ...], what: str) -> Path:
    found = next((weights / name for name in names if (weights / name).is_file()), None)
    if found is None:
        raise Failure(
            "weights_missing",
            f"kokoro's {what} file is not on this worker; `python -m builder.fetch_weights --model kokoro` fetches it.",
        )
    return found


def _products(model: Path) -> bytes:
    # Only who rewrites waits for onnx to be imported.
    from models.engines.convolutions import as_products

    return as_products(model)


def _cores() -> int:
    """Of this process: a container may be allowed fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _providers(onnxruntime: Any, device: str) -> Sequence[str | tuple[str, dict[str, int]]]:
    if not device.startswith("cuda"):
        return CPU
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise Failure("misconfigured", "DEVICE: this image's ONNX Runtime has no CUDA; set DEVICE=cpu.")
    number = int(device.partition(":")[2] or 0)
    return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
