"""Which image serves which models: groups, the environment each is locked to, and what the table knows of a model.

Plain data. Choosing is `catalogue.py`'s business, finding files `weights.py`'s.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models import cards
from models.card import Card
from models.engine import Engine
from models.environments import ENVIRONMENTS

REVISIONS = Path(__file__).with_name("revisions.json")
"""What `builder.fetch_weights --pin` found: revisions and checksums by `group/model`."""

ALIASES: Mapping[str, str] = {
    "vibevoice": "vibevoice-0.5b",
    "fish-speech-s2": "fish-s2-pro",
    "cosyvoice-2": "cosyvoice2",
    "parler-tts": "parler-mini",
    "dia-1b": "dia-1.6b",
}
"""OpenSpeakers' names."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model's weights."""

    path: str
    """In the repository, and below the model's folder."""
    size: int | None = None
    """Bytes, where known."""
    sha256: str = ""
    """Where known."""
    address: str = ""
    """Where it is, when not in the repository."""
    dtype: str = ""
    """The precision it is; of files that differ in this, one is enough."""
    optional: bool = False
    """The model loads without it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of a group."""

    id: str
    group: str
    engine: str | type[Engine] | None
    """`module:Class`; None while nobody has built it."""
    described: Card | None = None
    """What is known of a model without an engine; built engines describe themselves."""
    repository: str = ""
    """`org/name` on the hub."""
    revision: str = "unpinned"
    """A commit of the repository, or a release's tag."""
    files: tuple[File, ...] = ()
    """Empty: all of the repository's, as `wanted` says."""
    wanted: tuple[str, ...] = ("*",)
    """Patterns of paths worth having."""
    source: str = ""
    """Where weights of people's own are: `hf:`, `s3://` or `volume:`."""
    sha256: str = ""
    """Of their largest file, where given."""
    licence: str = ""
    """Of theirs, in place of the card's; so too the languages."""
    languages: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    """Knobs used where a request leaves them open."""

    @property
    def environment(self) -> str:
        return ENVIRONMENTS[self.group]

    @property
    def key(self) -> str:
        return f"{self.group}/{self.id}"

    @property
    def needs_weights(self) -> bool:
        """False where the weights come with the engine's own package."""
        if self.source:
            return True
        return any(not file.optional for file in self.files) if self.files else bool(self.repository)


_KOKORO_RELEASE = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0/"

_POCKET_REST = (
    "https://huggingface.co/kyutai/pocket-tts-without-voice-cloning/resolve/{commit}/languages/english/{name}"
)
"""Open to everybody; the weights that clone ask for a token."""
_POCKET_VOICES = (
    *("alba", "anna", "vera", "fantine", "charles", "paul", "eponine", "azelma", "george", "mary", "jane", "michael"),
    *("eve", "marius", "javert", "bill_boerst", "peter_yearsley", "stuart_bell", "caro_davy"),
)

_VOCOS = "https://huggingface.co/charactr/vocos-mel-24khz/resolve/0feb3fdd929bcd6649e0e7c5a688cf7dd012ef21/"  # MIT

_TABLE: tuple[Entry, ...] = (
    Entry(
        "hibari",
        "embedded",
        "models.engines.hibari:Hibari",
        repository="maureesewilliams/hibari",
        files=tuple(
            File(f"voices/{name}", size, sha256, optional=True)
            for name, size, sha256 in (
                ("bf_emma.int8.onnx", 7_936_868, "f709f0488ee63b583a22189a955aaf4257b9806dd330be3490661e53af0a89c1"),
                (
                    "am_fenrir_v2.int8.onnx",
                    8_031_158,
                    "f59fbd87908c91f827bc21b1b89443757b9a8580db9eee20aa948deb731321f4",
                ),
                ("bm_fable.int8.onnx", 7_936_868, "c28529302f2d27cd12f62625c24425888c4e3c2675583100ec530259136b8bc6"),
                ("af_kore.int8.onnx", 7_936_868, "346885752673e45d42f9864c9e2432094bc4b6385df060d4b83273da764d2fa9"),
            )
        ),
    ),
    Entry(
        "kokoro",
        "embedded",
        "models.engines.kokoro_onnx:KokoroOnnx",
        revision="model-files-v1.0",
        files=(
            File(
                "kokoro-v1.0.int8.onnx",
                92_361_271,
                "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
                address=_KOKORO_RELEASE + "kokoro-v1.0.int8.onnx",
                dtype="int8",
            ),
            File("kokoro-v1.0.fp16.onnx", address=_KOKORO_RELEASE + "kokoro-v1.0.fp16.onnx", dtype="fp16"),
            File("kokoro-v1.0.onnx", address=_KOKORO_RELEASE + "kokoro-v1.0.onnx", dtype="fp32"),
            File("voices-v1.0.bin", address=_KOKORO_RELEASE + "voices-v1.0.bin"),
        ),
    ),
    Entry("tone", "embedded", "models.engines.tone:Tone"),
    Entry(
        "chatterbox",
        "cloning",
        "models.engines.chatterbox:Chatterbox",
        repository="ResembleAI/chatterbox",
        wanted=("t3_cfg.safetensors", "s3gen.safetensors", "ve.safetensors", "tokenizer.json", "conds.pt"),
    ),
    Entry(
        "chatterbox-multilingual",
        "cloning",
        "models.engines.chatterbox:ChatterboxMultilingual",
        repository="ResembleAI/chatterbox",
        wanted=(
            "t3_mtl23ls_v3.safetensors",
            "s3gen.pt",
            "ve.pt",
            "grapheme_mtl_merged_expanded_v1.json",
            "Cangjie5_TC.json",
            "conds.pt",
        ),
    ),
    Entry(
        "chatterbox-turbo",
        "cloning",
        "models.engines.chatterbox:ChatterboxTurbo",
        repository="ResembleAI/chatterbox-turbo",
        wanted=(
            "t3_turbo_v1.safetensors",
            "s3gen_meanflow.safetensors",
            "ve.safetensors",
            "conds.pt",
            "*.json",
            "*.txt",
        ),
    ),
    Entry(
        "f5-tts",
        "cloning",
        "models.engines.f5:F5",
        repository="SWivid/F5-TTS",
        revision="84e5a410d9cead4de2f847e7c9369a6440bdfaca",
        files=(
            File("F5TTS_v1_Base/model_1250000.safetensors"),
            File("F5TTS_v1_Base/vocab.txt"),
            *(File(f"vocos/{name}", address=_VOCOS + name) for name in ("config.yaml", "pytorch_model.bin")),
        ),
    ),
    Entry(
        "xtts-v2",
        "cloning",
        "models.engines.xtts:Xtts",
        repository="coqui/XTTS-v2",
        wanted=("config.json", "model.pth", "vocab.json", "speakers_xtts.pth"),
    ),
    Entry("kokoro", "kokoro", None, cards.KOKORO, "hexgrad/Kokoro-82M"),
    Entry("orpheus-3b", "orpheus", None, cards.ORPHEUS, "canopylabs/orpheus-3b-0.1-ft"),
    Entry("vibevoice-1.5b", "dialogue", None, cards.VIBEVOICE_LARGE, "vibevoice/VibeVoice-1.5B-hf"),
    Entry("dia-1.6b", "dialogue", None, cards.DIA, "nari-labs/Dia-1.6B-0626"),
    Entry("vibevoice-0.5b", "streaming", None, cards.VIBEVOICE_REALTIME, "microsoft/VibeVoice-Realtime-0.5B"),
    Entry("cosyvoice2", "streaming", None, cards.COSYVOICE, "FunAudioLLM/CosyVoice2-0.5B"),
    Entry("fish-s2-pro", "streaming", None, cards.FISH, "fishaudio/s2-pro"),
    Entry("qwen3-tts", "qwen", None, cards.QWEN, "Qwen/Qwen3-TTS-12Hz-1.7B-Base"),
    Entry("qwen3-tts-custom", "qwen", None, cards.QWEN_CUSTOM, "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"),
    Entry("qwen3-tts-design", "qwen", None, cards.QWEN_DESIGN, "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign"),
    Entry("parler-mini", "parler", None, cards.PARLER, "parler-tts/parler-tts-mini-v1"),
    Entry(
        "pocket-tts",
        "pocket",
        "models.engines.pocket:Pocket",
        repository="kyutai/pocket-tts",
        revision="db04f0e653473e5c7333c69686ac92b7460b0c1d",  # the commits are those that pocket-tts 4.0.1 names
        files=(
            File("languages/english/model.safetensors"),
            File(
                "languages/english/tokenizer.json",
                address=_POCKET_REST.format(commit="00eac05ed3d16bdc3f6b5d598874019c34a89214", name="tokenizer.json"),
            ),
            *(
                File(
                    f"languages/english/embeddings/{voice}.safetensors",
                    address=_POCKET_REST.format(
                        commit="a7056f505a4a8ca72d8b5fb1440071d6f1a35739", name=f"embeddings/{voice}.safetensors"
                    ),
                    optional=voice != "alba",
                )
                for voice in _POCKET_VOICES
            ),
        ),
    ),
)


def table(pins: Path = REVISIONS) -> tuple[Entry, ...]:
    """Every model of the contract, each group's default first, with what was pinned filled in."""
    pinned: dict[str, Any] = json.loads(pins.read_text()) if pins.is_file() else {}
    return tuple(_filled(entry, pinned.get(entry.key)) for entry in _TABLE)


def _filled(entry: Entry, pin: dict[str, Any] | None) -> Entry:
    if pin is None:
        return entry
    files = {file["path"]: File(**file) for file in pin["files"]}
    return replace(entry, revision=pin["revision"], files=tuple(files.values()))
