"""F5-TTS's vocoder, Vocos, over its published tensors: mel frames to sound, and sound to mel frames.

The mel filters are the vocoder's own, from its file. In fp32 whatever the network is in: it is a hundredth of the
work, and its phases bear no rounding. Knows no lines.
"""

from collections.abc import Mapping
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from torch.nn import functional as F  # type: ignore[import-not-found,unused-ignore]

from basics.audio import Samples, as_mono
from models.engines.f5_network import MELS, Foreign

HOP = 256
WINDOW = 1024
QUIETEST = 1e-5
LOUDEST = 100.0

Tensor = Any


class Vocoder:
    def __init__(self, held: Mapping[str, Tensor], device: str) -> None:
        filters, window = (
            held.get(f"feature_extractor.mel_spec.{name}") for name in ("mel_scale.fb", "spectrogram.window")
        )
        if filters is None or window is None or filters.shape != (WINDOW // 2 + 1, MELS):
            raise Foreign
        self._held = {name: tensor.to(torch.device(device), torch.float32) for name, tensor in held.items()}
        self._blocks = len({name.split(".")[2] for name in held if name.startswith("backbone.convnext.")})
        self._filters, self._window = filters.float(), window.float()
        try:
            self._decoded(torch.zeros(1, MELS, 4, device=device))
        except torch.OutOfMemoryError:
            raise
        except (KeyError, RuntimeError) as error:
            raise Foreign from error

    @property
    def bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._held.values())

    def mels(self, sound: Samples) -> Tensor:
        """(frames, mels) on the CPU: one frame for each `HOP` samples, and one more."""
        wave = torch.from_numpy(sound).float()
        bins = torch.stft(wave, WINDOW, HOP, window=self._window, center=True, return_complex=True).abs()
        return (bins.T @ self._filters).clamp(min=QUIETEST).log()

    def sound(self, mels: Tensor) -> Samples:
        """Of (frames, mels), one `HOP` less than there are frames."""
        return as_mono(self._decoded(mels.float().T[None])[0].cpu().numpy())

    def _decoded(self, mels: Tensor) -> Tensor:
        x = self._conv(mels, "backbone.embed", groups=1)
        x = self._normed(x.mT, "backbone.norm")
        for block in range(self._blocks):
            x = x + self._block(x, f"backbone.convnext.{block}")
        x = self._linear(self._normed(x, "backbone.final_layer_norm"), "head.out").mT
        loud, phase = x.chunk(2, 1)
        bins = torch.polar(loud.exp().clamp(max=LOUDEST), phase)
        return torch.istft(bins, WINDOW, HOP, WINDOW, self._held["head.istft.window"], center=True)

    def _block(self, x: Tensor, name: str) -> Tensor:
        x = self._normed(self._conv(x.mT, f"{name}.dwconv", groups=x.shape[-1]).mT, f"{name}.norm")
        return self._held[f"{name}.gamma"] * self._linear(F.gelu(self._linear(x, f"{name}.pwconv1")), f"{name}.pwconv2")

    def _normed(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self._held[f"{name}.weight"], self._held[f"{name}.bias"], 1e-6)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._held[f"{name}.weight"], self._held[f"{name}.bias"])

    def _conv(self, x: Tensor, name: str, groups: int) -> Tensor:
        return F.conv1d(x, self._held[f"{name}.weight"], self._held[f"{name}.bias"], padding=3, groups=groups)
