"""Whose voice a recording is: the speaker encoder that comes with XTTS v2, over its published tensors.

A residual network over a log-mel spectrum, with the channels' weights asked of each block, and attentive statistics
over time. Sizes are read off the tensors. It keeps nothing.
"""

from collections.abc import Mapping
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

Tensor = Any

RATE = 16_000
WINDOW, HOP, BINS = 400, 160, 512
EMPHASIS = 0.97
LEAST_POWER = 1e-6


class Speaker:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """`tensors`: those under `hifigan_decoder.speaker_encoder`, on their device."""
        self._tensors = tensors
        stages: dict[str, set[str]] = {}
        for name in tensors:
            if name.startswith("layer"):
                stages.setdefault(name.split(".")[0], set()).add(name.split(".")[1])
        self._blocks = [f"{stage}.{block}." for stage in sorted(stages) for block in sorted(stages[stage], key=int)]

    def embedding(self, sound: Tensor) -> Tensor:
        """`[width]`, of length 1. `sound` is `[samples]` at this rate."""
        x = F.instance_norm((self._mels(sound) + LEAST_POWER).log())[:, None]
        x = self._normed(F.relu(F.conv2d(x, *self._pair("conv1"), padding=1)), "bn1")
        for block in self._blocks:
            x = self._block(x, block)
        x = x.reshape(1, -1, x.shape[-1])
        heard = F.relu(F.conv1d(x, *self._pair("attention.0")))
        shares = F.conv1d(self._normed(heard, "attention.2"), *self._pair("attention.3")).softmax(dim=2)
        mean = (x * shares).sum(dim=2)
        spread = ((x**2 * shares).sum(dim=2) - mean**2).clamp(min=1e-5).sqrt()
        return F.normalize(F.linear(torch.cat([mean, spread], dim=1), *self._pair("fc")), dim=1)[0]

    def _mels(self, sound: Tensor) -> Tensor:
        """`[1, mels, frames]`, of the sound with its highs raised."""
        sound = F.pad(sound[None], (1, 0), mode="reflect")[0]
        sound = sound[1:] - EMPHASIS * sound[:-1]
        window = self._tensors["torch_spec.1.spectrogram.window"]
        bins = torch.stft(sound, BINS, HOP, WINDOW, window=window, return_complex=True).abs() ** 2
        return (bins.T @ self._tensors["torch_spec.1.mel_scale.fb"]).T[None]

    def _block(self, x: Tensor, at: str) -> Tensor:
        narrows = f"{at}downsample.0.weight" in self._tensors
        stride = 2 if narrows and not at.startswith("layer1") else 1
        made = F.conv2d(x, self._tensors[f"{at}conv1.weight"], stride=stride, padding=1)
        made = self._normed(F.relu(made), f"{at}bn1")
        made = self._normed(F.conv2d(made, self._tensors[f"{at}conv2.weight"], padding=1), f"{at}bn2")
        asked = F.relu(F.linear(made.mean(dim=(2, 3)), *self._pair(f"{at}se.fc.0")))
        made = made * F.linear(asked, *self._pair(f"{at}se.fc.2")).sigmoid()[:, :, None, None]
        if narrows:
            x = self._normed(F.conv2d(x, self._tensors[f"{at}downsample.0.weight"], stride=stride), f"{at}downsample.1")
        return F.relu(made + x)

    def _normed(self, x: Tensor, name: str) -> Tensor:
        mean, spread = (self._tensors[f"{name}.running_{part}"] for part in ("mean", "var"))
        return F.batch_norm(x, mean, spread, *self._pair(name))

    def _pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
