"""A recording as XTTS v2 hears it: how it sounds, for the network that thinks, and whose it is, for the one that sings.

Of the first seconds, piece by piece, a few latents each, which are averaged; of the whole, the speaker's embedding.
Upstream's names and shapes, so its own voices and ours are alike. It knows no text. Imported only where torch is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from basics.audio import Samples, as_mono
from basics.errors import Failure
from models.engine import Conditioning
from models.engines.xtts_speaker import RATE as SPEAKER_RATE
from models.engines.xtts_speaker import Speaker
from models.engines.xtts_weights import Habits

Tensor = Any

RATE = 22_050
WINDOW, HOP, BINS, MELS = 1024, 256, 2048, 80
HIGHEST_HZ = 8000
QUIETEST = 1e-5
LEAST_SECONDS = 0.33
"""Of a piece, as upstream has it."""
HEAD = 64
"""Width of a head of the perceiver."""
ENCODER, PERCEIVER, SPEAKER = (
    "gpt.conditioning_encoder.",
    "gpt.conditioning_perceiver.",
    "hifigan_decoder.speaker_encoder.",
)


class Ear:
    def __init__(self, tensors: Mapping[str, Tensor], habits: Habits, device: str) -> None:
        self._habits, self._device = habits, device
        parts = (ENCODER, PERCEIVER, SPEAKER, "mel_stats")
        self._tensors = {
            name: each.to(device, torch.float32) for name, each in tensors.items() if name.startswith(parts)
        }
        self._speaker = Speaker(
            {name.removeprefix(SPEAKER): each for name, each in self._tensors.items() if name.startswith(SPEAKER)}
        )
        self._blocks = _count(self._tensors, f"{ENCODER}attn.")
        self._layers = _count(self._tensors, f"{PERCEIVER}layers.")
        self.bytes = sum(each.numel() * each.element_size() for each in self._tensors.values())

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def heard(self, samples: Samples, rate: int) -> Conditioning:
        """Touches no state that a deck uses, so it may run beside one."""
        if len(samples) < LEAST_SECONDS * rate:
            message = f"XTTS v2 needs {LEAST_SECONDS:g} s of a voice at the least."
            raise Failure("voice_unusable", message, field="voice")
        sound = torch.from_numpy(as_mono(samples).copy()).clamp(-1, 1)
        known = _resampled(sound, rate, RATE)[: round(self._habits.knows_seconds * RATE)]
        speaker = self._speaker.embedding(_resampled(known, RATE, SPEAKER_RATE).to(self._device))
        found = {
            "gpt_cond_latent": self._style(known[: round(self._habits.hears_seconds * RATE)]),
            "speaker_embedding": speaker[None, :, None],
        }
        return {name: np.ascontiguousarray(each.cpu().numpy(), np.float32) for name, each in found.items()}

    def _style(self, sound: Tensor) -> Tensor:
        """(1, 32, width)"""
        pieces = sound.split(round(self._habits.piece_seconds * RATE))
        pieces = [piece for piece in pieces if len(piece) >= LEAST_SECONDS * RATE]
        return torch.stack([self._perceived(self._encoded(self._mels(piece))) for piece in pieces]).mean(dim=0)

    def _mels(self, sound: Tensor) -> Tensor:
        """(1, mels, frames)"""
        from torchaudio.functional import melscale_fbanks  # type: ignore[import-not-found,unused-ignore]

        sound = sound.to(self._device)
        window = torch.hann_window(WINDOW, device=self._device)
        bins = torch.stft(sound, BINS, HOP, WINDOW, window=window, return_complex=True).abs() ** 2
        filters = melscale_fbanks(BINS // 2 + 1, 0.0, HIGHEST_HZ, MELS, RATE, norm="slaney").to(self._device)
        mels = (bins.T @ filters).T.clamp(min=QUIETEST).log()
        return (mels / self._tensors["mel_stats"][:, None])[None]

    def _encoded(self, mels: Tensor) -> Tensor:
        """(1, width, frames)"""
        x = self._conv(mels, f"{ENCODER}init")
        for block in range(self._blocks):
            x = self._listened(x, f"{ENCODER}attn.{block}.")
        return x

    def _listened(self, x: Tensor, at: str) -> Tensor:
        heads, width = self._habits.heads, x.shape[1] // self._habits.heads
        norm = (self._tensors[f"{at}norm.weight"], self._tensors[f"{at}norm.bias"])
        x = F.group_norm(x, _groups(x.shape[1]), *norm)
        query, key, value = self._conv(x, f"{at}qkv").reshape(heads, 3 * width, -1).mT.split(width, dim=2)
        heard = F.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        return x + self._conv(heard.mT.reshape(x.shape), f"{at}proj_out")

    def _perceived(self, x: Tensor) -> Tensor:
        """What a fixed number of questions find out about a piece of any length: (1, questions, width)."""
        x, asks = x.mT, self._tensors[f"{PERCEIVER}latents"][None]
        for layer in range(self._layers):
            at = f"{PERCEIVER}layers.{layer}."
            asks = asks + self._found(asks, torch.cat([asks, x], dim=1), f"{at}0.")
            grown, gate = self._linear(asks, f"{at}1.0").chunk(2, dim=-1)
            asks = asks + self._linear(grown * F.gelu(gate), f"{at}1.2")
        return F.normalize(asks, dim=-1) * asks.shape[-1] ** 0.5 * self._tensors[f"{PERCEIVER}norm.gamma"]

    def _found(self, asks: Tensor, of: Tensor, at: str) -> Tensor:
        asked, known = (F.linear(x, self._tensors[f"{at}{name}.weight"]) for name, x in (("to_q", asks), ("to_kv", of)))
        query, key, value = (
            each.unflatten(-1, (-1, HEAD)).transpose(1, 2) for each in (asked, *known.chunk(2, dim=-1))
        )
        found = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return F.linear(found, self._tensors[f"{at}to_out.weight"])

    def _conv(self, x: Tensor, name: str) -> Tensor:
        return F.conv1d(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"])


def _resampled(sound: Tensor, rate: int, wanted: int) -> Tensor:
    """As upstream does it."""
    from torchaudio.functional import resample  # type: ignore[import-not-found,unused-ignore]

    return sound if rate == wanted else resample(sound, rate, wanted)


def _count(tensors: Mapping[str, Tensor], at: str) -> int:
    return 1 + max(int(name.removeprefix(at).split(".")[0]) for name in tensors if name.startswith(at))


def _groups(channels: int) -> int:
    """Of a normalisation over so many."""
    groups = 8 if channels <= 16 else 16 if channels <= 64 else 32
    while channels % groups:
        groups //= 2
    return groups
