"""Chatterbox by Resemble AI: clones from one recording, in English, in 23 languages, or fast and with laughs. MIT.

Upstream keeps the voice on the model and rewrites it while it speaks, speaks one line at a time, and fetches what it
lacks. Here a voice is a value, lines are computed together, and only what lies in the weights' folder is read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from pydantic import Field

from basics.errors import Failure
from models.ahead import read_ahead
from models.card import Card, Preset
from models.engine import Conditioning, Deck, Engine, Line, Options
from models.engines.memory import fitting
from models.watermark import Watermark
from voices.voice import Voice

if TYPE_CHECKING:
    from models.engines.chatterbox_deck import Parts, Wish
    from models.engines.chatterbox_reference import Habits
    from models.engines.chatterbox_t3 import Kind
    from models.engines.chatterbox_text import Reader

VOICE = "conds.pt"
"""The voice that comes with the weights."""
CANGJIE = "Cangjie5_TC.json"
"""How Chinese characters are typed, which is how they are read."""
SECOND = "t3_mtl23ls_v2.safetensors"
"""Multilingual's second version, which goes on after the end unless it is guarded."""
PACKS = tuple(f"t3_{name}.safetensors" for name in ("zh_cmn", "es_mx_latam", "es_es", "pt_br", "pt_pt", "hi"))
"""Multilingual's third version, taught one language more."""
PACKS_SING = ("s3gen_v3.safetensors", "s3gen_v3.pt")
"""What upstream publishes with them and plays them through."""
NANO = "t3_nano_v1.safetensors"
"""Turbo's smaller sister."""


class _Drawn(Options):
    """Knobs of the sound half, alike in all three."""

    flow_steps: int | None = Field(
        None, ge=1, le=50, description="Steps from noise to a spectrum: 10 where not given, Turbo 2. Fewer are faster."
    )
    one_pass: bool = Field(
        False, description="Make a line's spectrum in one pass, as upstream does: no sound before its last token."
    )


class ChatterboxOptions(_Drawn):
    exaggeration: float = Field(0.5, ge=0.0, le=2.0, description="Emotion; 0.5 is neutral.")
    cfg_weight: float = Field(
        0.5, ge=0.0, le=1.0, description="Guidance by the text; lower is slower and calmer, 0 costs half."
    )
    temperature: float = Field(0.8, ge=0.0, le=5.0, description="Liveliness of the draws; 0 takes the likeliest.")
    repetition_penalty: float | None = Field(
        None, ge=1.0, le=10.0, description="1 is none; 1.2 where not given, 2 for Multilingual's second version."
    )
    min_p: float = Field(0.05, ge=0.0, le=1.0, description="Least share of a token, relative to the likeliest.")
    top_p: float = Field(1.0, gt=0.0, le=1.0, description="Draws from the likeliest that make up this share.")
    flow_guidance: float = Field(0.7, ge=0.0, le=2.0, description="How closely the sound keeps to tokens and voice.")


class TurboOptions(_Drawn):
    temperature: float = Field(0.8, ge=0.0, le=5.0, description="Liveliness of the draws; 0 takes the likeliest.")
    top_k: int = Field(1000, ge=0, le=6563, description="Draws from so many of the likeliest; 0 from all.")
    top_p: float = Field(0.95, gt=0.0, le=1.0, description="Draws from the likeliest that make up this share.")
    repetition_penalty: float = Field(1.2, ge=1.0, le=10.0, description="Against saying the same again; 1 is none.")


class Chatterbox(Engine):
    card: ClassVar[Card] = Card(
        "chatterbox",
        "Chatterbox",
        languages=("en",),
        rate=24_000,
        licence="MIT",
        help="English that clones from one recording of about ten seconds, with a knob for emotion.",
        presets=(Preset("default", "Default", "en"),),
        clones=True,
        reference=(2.0, 10.0),  # S3Gen hears ten seconds, T3 the first six of them
        transcript="unread",
        conditionals=True,
        converts=True,
        streams=True,
        whole=False,
        comfortable=300,
        watermarks=True,
        memory=3.2,  # in fp32, as counted over full-size random weights
    )
    Options: ClassVar[type[Options]] = ChatterboxOptions
    files: ClassVar[Sequence[str]] = ("t3_cfg.safetensors", "s3gen.safetensors", "ve.safetensors", "tokenizer.json")
    """Of T3, S3Gen, the voice encoder and the vocabulary."""

    def __init__(self, parts: "Parts", voice: Path) -> None:
        self._parts, self._voice = parts, voice
        self._cached = 0
        """Bytes that the deck keeps for its lines."""

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        files = [weights / name for name in cls._chosen(weights)]
        for file in files:
            if not file.is_file():
                raise Failure("weights_missing", f"{cls.card.name}'s {file.name} is not on this worker; {cls._how()}")
        read_ahead(files)  # while torch is imported
        _check(device)
        return cls(cls._parts_of(files, device, dtype), weights / VOICE)

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.conditionals is not None:
            return dict(voice.conditionals)
        if voice.samples is not None and voice.samples.size:
            with fitting(f"{self.card.id} has no memory left to hear a recording."):
                heard: Conditioning = self._parts.ear.heard(voice.samples, voice.rate)
            return heard
        if voice.kind != "preset":
            message = f"{self.card.id} speaks in its own voice and in recorded ones."
            raise Failure("voice_unusable", message, field="voice")
        if self.card.preset(voice.id) is None:
            raise Failure("unknown_voice", f"{self.card.id} has no voice `{voice.id}`.", field="voice")
        return self._published()

    def open(self, room: int) -> Deck:
        from models.engines.chatterbox_deck import ChatterboxDeck

        deck = ChatterboxDeck(self._parts, self.card, room, self._wish)
        # Memory that a CPU's system gives only as it is used.
        self._cached = deck.bytes if self._parts.sound.device.startswith("cuda") else 0
        return deck

    @classmethod
    def watermark(cls) -> Watermark:
        from models.engines.perth import Perth
        from models.engines.shims import stand_ins

        with stand_ins():
            return Perth.load()

    def memory(self) -> float:
        sings = self._parts.sound.net.state_dict().values()
        sounds = sum(each.numel() * each.element_size() for each in sings)
        return float(self._parts.thinker.bytes + sounds + self._cached) / 1e9

    @classmethod
    def _chosen(cls, weights: Path) -> Sequence[str]:
        """What of the folder is loaded: `files`, or those of a sister in their place."""
        return cls.files

    @classmethod
    def _parts_of(cls, files: Sequence[Path], device: str, dtype: str) -> "Parts":
        from models.engines.chatterbox_deck import Parts
        from models.engines.chatterbox_reference import Ear
        from models.engines.chatterbox_sound import Sound
        from models.engines.chatterbox_t3 import Thinker

        thinks, sings, hears, reads = files
        precise = dtype or thinking(device)
        kind, habits = cls._kind(thinks)
        with _reading(cls.card.name, reads):
            reader = cls._reader(reads)
        with _reading(cls.card.name, thinks):
            thinker = Thinker.load(thinks, device, precise, kind)
        with _reading(cls.card.name, sings):
            sound = Sound.load(sings, device, drawing(device, dtype))
        with _reading(cls.card.name, hears):
            return Parts(reader, thinker, sound, Ear.load(sound.net, hears, habits))

    @classmethod
    def _kind(cls, thinks: Path) -> "tuple[Kind, Habits]":
        from models.engines import chatterbox_reference, chatterbox_t3

        return chatterbox_t3.ENGLISH, chatterbox_reference.ENGLISH

    @classmethod
    def _reader(cls, vocabulary: Path) -> "Reader":
        from models.engines.chatterbox_text import English

        return English(vocabulary)

    def _wish(self, line: Line) -> "Wish":
        from models.engines.chatterbox_deck import Wish
        from models.engines.chatterbox_row import Knobs as SoundKnobs
        from models.engines.chatterbox_t3 import Style
        from models.runtime.sampler import Knobs

        asked = _asked(line, ChatterboxOptions)
        penalty = asked.repetition_penalty or self._parts.thinker.kind.penalty
        return Wish(
            Style(asked.exaggeration, asked.cfg_weight),
            Knobs(asked.temperature, 0, asked.top_p, asked.min_p, penalty),
            SoundKnobs(asked.flow_steps, asked.flow_guidance, asked.one_pass),
        )

    def _published(self) -> Conditioning:
        """The voice as upstream saved it, in plain arrays."""
        import torch  # type: ignore[import-not-found,unused-ignore]

        if not self._voice.is_file():
            raise Failure("weights_missing", f"{self.card.name}'s {VOICE} is not on this worker; {self._how()}")
        with _reading(self.card.name, self._voice):
            kept = torch.load(self._voice, map_location="cpu", weights_only=True)
        named = {f"{half}.{name}": each for half in ("t3", "gen") for name, each in kept[half].items()}
        return {name: each.contiguous().numpy() for name, each in named.items() if torch.is_tensor(each)}

    @classmethod
    def _how(cls) -> str:
        return f"`python -m builder.fetch_weights --model {cls.card.id}` fetches it."


class ChatterboxMultilingual(Chatterbox):
    card: ClassVar[Card] = Card(
        "chatterbox-multilingual",
        "Chatterbox Multilingual",
        languages=tuple("en ar da de el es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh".split()),
        rate=24_000,
        licence="MIT",
        help="Chatterbox in 23 languages; a cloned voice may speak any of them.",
        presets=(Preset("default", "Default", "en"),),
        crosslingual=True,
        clones=True,
        reference=(2.0, 10.0),
        transcript="unread",
        conditionals=True,
        converts=True,
        streams=True,
        whole=False,
        comfortable=300,
        watermarks=True,
        memory=3.2,  # in fp32, as counted over full-size random weights
    )
    files: ClassVar[Sequence[str]] = (
        "t3_mtl23ls_v3.safetensors",
        "s3gen.pt",
        "ve.pt",
        "grapheme_mtl_merged_expanded_v1.json",
    )

    @classmethod
    def _chosen(cls, weights: Path) -> Sequence[str]:
        """A pack goes before what speaks 23 languages, the third version before the second."""
        thinks, sings, *rest = cls.files
        thinks = _first(weights, (*PACKS, thinks, SECOND), thinks)
        return (thinks, _first(weights, PACKS_SING, sings) if thinks in PACKS else sings, *rest)

    @classmethod
    def _kind(cls, thinks: Path) -> "tuple[Kind, Habits]":
        from models.engines import chatterbox_reference, chatterbox_t3

        kind = chatterbox_t3.MULTILINGUAL_V2 if thinks.name == SECOND else chatterbox_t3.MULTILINGUAL
        return kind, chatterbox_reference.MULTILINGUAL

    @classmethod
    def _reader(cls, vocabulary: Path) -> "Reader":
        from models.engines.chatterbox_text import Multilingual

        return Multilingual(vocabulary, vocabulary.with_name(CANGJIE))


class ChatterboxTurbo(Chatterbox):
    card: ClassVar[Card] = Card(
        "chatterbox-turbo",
        "Chatterbox Turbo",
        languages=("en",),
        rate=24_000,
        licence="MIT",
        help="A faster Chatterbox that laughs and sighs where a tag asks; its recording must last five seconds.",
        presets=(Preset("default", "Default", "en"),),
        clones=True,
        reference=(5.1, 15.0),  # upstream asserts more than five
        transcript="unread",
        conditionals=True,
        streams=True,
        whole=False,
        # Nine of the nineteen tags in its vocabulary are audible (upstream issue 557).
        tags=("[laugh]", "[chuckle]", "[gasp]", "[cough]", "[sigh]", "[groan]", "[sniff]", "[shush]", "[clear throat]"),
        comfortable=300,
        watermarks=True,
        memory=2.7,  # in fp32, as counted over full-size random weights
    )
    Options: ClassVar[type[Options]] = TurboOptions
    files: ClassVar[Sequence[str]] = (
        "t3_turbo_v1.safetensors",
        "s3gen_meanflow.safetensors",
        "ve.safetensors",
        "tokenizer_config.json",
    )

    @classmethod
    def _chosen(cls, weights: Path) -> Sequence[str]:
        thinks, *rest = cls.files
        return (_first(weights, (thinks, NANO), thinks), *rest)

    @classmethod
    def _kind(cls, thinks: Path) -> "tuple[Kind, Habits]":
        from models.engines import chatterbox_reference, chatterbox_t3

        return chatterbox_t3.TURBO, chatterbox_reference.TURBO

    @classmethod
    def _reader(cls, vocabulary: Path) -> "Reader":
        from models.engines.chatterbox_text import Turbo

        return Turbo(vocabulary.parent)

    def _wish(self, line: Line) -> "Wish":
        from models.engines.chatterbox_deck import Wish
        from models.engines.chatterbox_row import Knobs as SoundKnobs
        from models.engines.chatterbox_t3 import Style
        from models.runtime.sampler import Knobs

        asked = _asked(line, TurboOptions)
        return Wish(
            Style(guidance=0.0),
            Knobs(asked.temperature, asked.top_k, asked.top_p, 0.0, asked.repetition_penalty),
            SoundKnobs(asked.flow_steps, whole=asked.one_pass),
        )


Knob = TypeVar("Knob", bound=Options)


def _asked(line: Line, kind: type[Knob]) -> Knob:
    return line.options if isinstance(line.options, kind) else kind()


def _first(folder: Path, names: Sequence[str], otherwise: str) -> str:
    return next((name for name in names if (folder / name).is_file()), otherwise)


@contextmanager
def _reading(name: str, file: Path) -> Iterator[None]:
    """What readers of files throw at a damaged one, in our words."""
    from safetensors import SafetensorError

    try:
        with fitting(f"{name} does not fit into the device's memory."):
            yield
    except (SafetensorError, UnpicklingError, RuntimeError, OSError, ValueError, LookupError, EOFError) as error:
        message = f"{name}'s {file.name} cannot be read; delete it and fetch it again."
        raise Failure("weights_missing", message) from error


def thinking(device: str) -> str:
    """T3's precision where none was asked for. Cards before Ampere only imitate bf16, slower than fp32."""
    import torch

    able = device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8, 0)
    return "bf16" if able else "fp32"


def drawing(device: str, dtype: str) -> str:
    """The flow's precision. On a CPU `fp16` and `int8` are how T3's weights are kept, and nothing else is narrow."""
    return "fp32" if device == "cpu" and dtype in ("fp16", "int8") else dtype


def _check(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Failure("misconfigured", "DEVICE: this image's torch has no CUDA; set DEVICE=cpu.")
