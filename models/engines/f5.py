"""F5-TTS by SWivid: clones from a short recording and its transcript. Code MIT, weights CC-BY-NC-4.0.

The reference stands before the line that is to be said, as sound and as text, and noise becomes the rest, all frames
at once and step by step. A turn moves rows of any length, voice, schedule and guidance by a few steps each, so that a
line may come or go between any two. Upstream loses first words and lets the reference's last ones through where a
recording ends in speech or its text without a stop: `prepare` sees to both, and the cut is a frame's.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import soxr  # type: ignore[import-untyped]
from pydantic import Field

from basics.audio import Samples, as_mono, rms, silence
from basics.errors import Failure
from models.ahead import read_ahead
from models.card import Card, Preset
from models.engine import Conditioning, Deck, Engine, Options
from models.engines import f5_text
from models.engines.f5_weights import Files, checkpoint, find, vocabulary
from models.engines.f5_weights import vocoder as vocoder_tensors
from models.engines.memory import fitting
from voices.voice import Voice

if TYPE_CHECKING:
    from models.engines.f5_network import Network
    from models.engines.f5_vocoder import Vocoder

RATE = 24_000
LOUD_RMS = 0.1
"""Quieter recordings are raised to it, as upstream does: the network was made with such."""
QUIET_RMS = 0.008
"""-42 dB: less, at a recording's ends, is no speech."""
BLOCK = 240
"""Samples that are judged loud or quiet together: 10 ms."""
PAUSE_SECONDS = 0.2
"""Of silence after the reference, so that its last sound is over where the line begins."""
FADE_SECONDS = 0.01
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 20.0
"""Of a recording, whoever cut it; the card says what is good."""
_DTYPES = {"fp32": "float32", "float32": "float32", "fp16": "float16", "float16": "float16", "bf16": "bfloat16"}
_PRESET_TEXT = "The harbour was quiet when the first boats came in. Nobody spoke, and the gulls kept to the roofs."
_NEEDS = "f5-tts speaks with a recording and the words that are said in it"


class F5Options(Options):
    steps: int = Field(32, ge=2, le=128, description="Steps from noise to speech. 16 is twice as quick, 7 four times.")
    guidance: float = Field(
        2.0, ge=0.0, le=10.0, description="How closely to keep to text and voice; 0 is half the work."
    )
    sway: float | None = Field(
        -1.0, ge=-1.0, le=1.0, description="Below 0 the early steps are the smaller ones; null makes all alike."
    )
    pruned: bool = Field(
        True, description="With 5, 6, 7, 10, 12 or 16 steps: take those of 32 that matter most, not evenly many."
    )


class F5(Engine):
    card: ClassVar[Card] = Card(
        "f5-tts",
        "F5-TTS",
        languages=("en", "zh"),
        rate=RATE,
        licence="CC-BY-NC-4.0",
        help="Clones from a short recording, whose transcript it needs. Its weights forbid commercial use.",
        presets=(Preset("heart", "Heart", "en", "female", description="hibari's synthetic voice, imitated"),),
        crosslingual=True,
        clones=True,
        reference=(2.0, 12.0),  # upstream clips at twelve: the network was made with 30 s, recording and line together
        transcript="needed",
        speed=(0.5, 2.0),
        accept="cc-by-nc",
        memory=2.0,  # a claim: 0.7 of weights in half precision, and eight rows at work
        comfortable=200,
        pace=15.0,
    )
    Options: ClassVar[type[Options]] = F5Options

    def __init__(self, network: "Network", vocoder: "Vocoder", tokens: dict[str, int]) -> None:
        self._network, self._vocoder, self._tokens = network, vocoder, tokens

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        if dtype and dtype not in _DTYPES:
            raise Failure("misconfigured", f"DTYPE: f5-tts runs in fp32, fp16 or bf16, not `{dtype}`.")
        files = find(weights)
        read_ahead([files.checkpoint])  # while torch is imported
        tokens = vocabulary(files.vocabulary)
        network, vocoder = _networks(files, device, _DTYPES[dtype or ("fp32" if device == "cpu" else "fp16")])
        if network.sizes.tokens != len(tokens) + 1:
            told = f"vocab.txt has {len(tokens)} tokens, its weights {network.sizes.tokens - 1}"
            raise Failure("weights_missing", f"f5-tts's {told}: they are not of one model.")
        return cls(network, vocoder, tokens)

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.samples is not None and voice.samples.size:
            return self._heard(voice.samples, voice.rate, voice.transcript)
        if voice.kind != "preset":
            raise Failure("voice_unusable", f"{_NEEDS}.", field="voice")
        if self.card.preset(voice.id) is None:
            raise Failure("unknown_voice", f"f5-tts has no voice `{voice.id}`; {_NEEDS}.", field="voice")
        return self._heard(_preset(), RATE, _PRESET_TEXT)

    def open(self, room: int) -> Deck:
        from models.engines.f5_deck import F5Deck

        return F5Deck(self._network, self._vocoder, self._tokens, room)

    def memory(self) -> float:
        return (self._network.bytes + self._vocoder.bytes) / 1e9

    def _heard(self, samples: Samples, rate: int, transcript: str) -> Conditioning:
        if not transcript.strip():
            raise Failure(
                "voice_unusable",
                f"{_NEEDS}: give the voice's `transcript`, the text of the whole recording.",
                field="voice",
            )
        seconds = len(samples) / rate
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            limits = f"{SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s"
            message = f"f5-tts takes a recording of {limits}; this one plays {seconds:.1f} s."
            raise Failure("voice_unusable", message, field="voice")
        sound, speech_seconds = reference(samples, rate)
        return {
            "mels": np.ascontiguousarray(self._vocoder.mels(sound).numpy(), np.float32),
            "pace": np.array([f5_text.pace(transcript, speech_seconds)], np.float32),
            "transcript": np.frombuffer(f5_text.introduced(transcript).encode(), np.uint8).copy(),
        }


def reference(samples: Samples, rate: int) -> tuple[Samples, float]:
    """The recording as the network likes it, and how long its speech plays: loud enough, without silence at its
    ends but the pause after it, and not breaking off."""
    sound = as_mono(soxr.resample(samples, rate, RATE)) if rate != RATE else as_mono(samples)
    loud = rms(sound)
    if 0 < loud < LOUD_RMS:
        sound = sound * np.float32(LOUD_RMS / loud)
    sound = sound[slice(*_speech(sound))].copy()
    fade = min(round(FADE_SECONDS * RATE), len(sound))
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.concatenate([sound, silence(PAUSE_SECONDS, RATE)]), len(sound) / RATE


def _speech(sound: Samples) -> tuple[int, int]:
    """From the first loud block to the last; everything where none is."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > QUIET_RMS)
    return (int(loud[0]) * BLOCK, int(loud[-1] + 1) * BLOCK) if loud.size else (0, len(sound))


def _preset() -> Samples:
    """A voice that nobody has, said by a model whose weights are in the environment, so that there is a first word."""
    from hibari import Hibari  # type: ignore[import-untyped,unused-ignore]

    return as_mono(Hibari(voice="heart", threads=1)(_PRESET_TEXT, seed=0))


def _networks(files: Files, device: str, dtype: str) -> tuple["Network", "Vocoder"]:
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.f5_network import Foreign, Network
    from models.engines.f5_vocoder import Vocoder

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Failure("misconfigured", "DEVICE: torch finds no CUDA here; set DEVICE=cpu.")
    try:
        with fitting("F5-TTS does not fit into the device's memory."), torch.inference_mode():
            network = Network(checkpoint(files.checkpoint), files.habits, device, getattr(torch, dtype))
            return network, Vocoder(vocoder_tensors(files.vocoder), device)
    except Foreign as error:
        raise Failure("weights_missing", "These are not the weights of F5-TTS and its vocoder, Vocos.") from error
