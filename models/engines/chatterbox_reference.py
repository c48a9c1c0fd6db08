"""A recording as Chatterbox hears it: what T3 and S3Gen condition on, under the names of upstream's own voice files.

Upstream's networks, fed as upstream feeds them, with three differences. The recording is cut to whole tokens, so
that no frame of the prompt is lost; everything stays float32; silence is trimmed and resampled without librosa,
whose first call compiles for many seconds. It knows no text. Imported only where torch is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import soxr  # type: ignore[import-untyped,unused-ignore]
import torch  # type: ignore[import-not-found,unused-ignore]
from safetensors.torch import load_file

from basics.audio import Samples, as_mono
from basics.errors import Failure
from models.engine import Conditioning
from models.engines.chatterbox_upstream import lean
from models.engines.chatterbox_vocoder import RATE

HEARS_RATE = 16_000
TOKEN = RATE // 25
"""Samples of a token at the sounding rate."""
PROMPT_SECONDS = 10
"""Of a recording, for S3Gen."""
TRIM_DB = 20.0
TRIM_FRAME, TRIM_HOP = 2048, 512
WINDOWS_A_SECOND = 1.3
"""Upstream's setting of the speaker encoder."""


@dataclass(frozen=True, slots=True)
class Habits:
    """In what a model's hearing differs from its sisters'."""

    tokens: int
    """Of the recording, for T3."""
    least_seconds: float
    loudness: float | None = None
    """LUFS that a recording is brought to."""

    @property
    def seconds(self) -> float:
        return self.tokens / 25


ENGLISH = MULTILINGUAL = Habits(tokens=150, least_seconds=1.0)
TURBO = Habits(tokens=375, least_seconds=5.0, loudness=-27.0)


class Ear:
    def __init__(self, net: Any, encoder: Any, habits: Habits) -> None:
        """`net` is upstream's S3Gen, `encoder` its VoiceEncoder."""
        self._net, self._encoder, self._habits = net, encoder, habits

    @classmethod
    def load(cls, net: Any, file: Path, habits: Habits) -> Self:
        """`file`: `ve.safetensors` or `ve.pt`."""
        with lean():
            from chatterbox.models.voice_encoder import VoiceEncoder  # type: ignore[import-not-found,unused-ignore]

        encoder = VoiceEncoder()
        safe = file.suffix == ".safetensors"
        encoder.load_state_dict(load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True))
        return cls(net, encoder.to(net.device).eval(), habits)

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def heard(self, samples: Samples, rate: int) -> Conditioning:
        """Touches no state that a deck uses, so it may run beside one."""
        if len(samples) < rate * self._habits.least_seconds:
            message = f"This model needs {self._habits.least_seconds:g} s of a voice at the least."
            raise Failure("voice_unusable", message, field="voice")
        sound = resampled(samples, rate, RATE)
        if self._habits.loudness is not None:
            sound = _levelled(sound, self._habits.loudness)
        hears = resampled(sound, RATE, HEARS_RATE)
        prompt = sound[: min(PROMPT_SECONDS * RATE, len(sound)) // TOKEN * TOKEN]
        found = self._net.embed_ref(torch.from_numpy(prompt)[None], RATE, device=self._net.device)
        first = hears[: round(self._habits.seconds * HEARS_RATE)]
        thought, _ = self._net.tokenizer([first], max_len=self._habits.tokens)
        conditioning = {
            "t3.speaker_emb": self._speaker(hears),
            "t3.cond_prompt_speech_tokens": thought,
            "t3.emotion_adv": torch.full((1, 1, 1), 0.5),
            **{f"gen.{name}": found[name] for name in ("prompt_token", "prompt_token_len", "prompt_feat", "embedding")},
        }
        arrays = {name: each.cpu().numpy() for name, each in conditioning.items()}
        if not all(np.isfinite(each).all() for each in arrays.values()):
            raise Failure("voice_unusable", "The recording has no voice in it that the model hears.", field="voice")
        return arrays

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def tokens(self, samples: Samples, rate: int) -> list[int]:
        """What is said in a recording, in speech tokens: 25 a second. The last may stand for less."""
        found, _ = self._net.tokenizer([resampled(samples, rate, HEARS_RATE)])
        return [int(token) for token in found[0].tolist()]

    def _speaker(self, hears: Samples) -> Any:
        """(1, 256)"""
        from chatterbox.models.voice_encoder.melspec import mel_basis  # type: ignore[import-not-found,unused-ignore]

        settings = self._encoder.hp
        window = torch.hann_window(settings.n_fft)
        said = torch.from_numpy(trimmed(hears))
        spectrum = torch.stft(said, settings.n_fft, settings.hop_size, window=window, return_complex=True).abs()
        mel = torch.from_numpy(mel_basis(settings)) @ spectrum**settings.mel_power
        mels = mel.T[None].to(self._net.device)
        return self._encoder.inference(mels, [mels.shape[1]], rate=WINDOWS_A_SECOND, batch_size=32)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    return as_mono(samples) if rate == wanted else as_mono(soxr.resample(samples, rate, wanted, "HQ"))


def trimmed(samples: Samples) -> Samples:
    """Without what is quiet at both ends: 20 dB under the loudest frame, as librosa counts it."""
    padded = np.pad(samples.astype(np.float64), TRIM_FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, TRIM_FRAME)[::TRIM_HOP]
    power = np.maximum((frames**2).mean(axis=1), 1e-10)
    loud = np.flatnonzero(power > power.max() * 10 ** (-TRIM_DB / 10))
    return samples[loud[0] * TRIM_HOP : min(len(samples), (loud[-1] + 1) * TRIM_HOP)]


def _levelled(sound: Samples, wanted: float) -> Samples:
    import pyloudnorm  # type: ignore[import-untyped,unused-ignore]  # and half of scipy with it

    found = pyloudnorm.Meter(RATE).integrated_loudness(sound)
    return sound if not np.isfinite(found) else (sound * np.float32(10 ** ((wanted - found) / 20))).astype(np.float32)
