"""Perth, Resemble AI's watermark, which Chatterbox puts into all it says. Weights are in its package; it runs on a CPU.

Upstream resamples with librosa and keeps what autograd would need; here neither happens. Imported only where torch is.
"""

from functools import cache
from typing import Any, Self

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]

from basics.audio import Samples
from models.engines.chatterbox_reference import resampled
from models.engines.shims import stand_ins


class Perth:
    def __init__(self, net: Any) -> None:
        """`net` is upstream's PerthNet."""
        self._net = net
        self._rate = int(net.hp.sample_rate)

    @classmethod
    @cache
    def load(cls) -> Self:
        """One for the process: it keeps nothing between calls."""
        with stand_ins():
            from perth.perth_net import PREPACKAGED_MODELS_DIR  # type: ignore[import-not-found,unused-ignore]
            from perth.perth_net.perth_net_implicit.model.perth_net import (  # type: ignore[import-not-found,unused-ignore]
                PerthNet,
            )

        return cls(PerthNet.load("implicit", PREPACKAGED_MODELS_DIR).eval())

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def mark(self, samples: Samples, rate: int) -> Samples:
        if samples.size < rate / 10:
            return samples
        loud, phase = self._spectrum(samples, rate)
        marked, _ = self._net.encoder(loud[None])
        sound = self._net.ap.magphase_to_signal(marked[0], phase).numpy()
        found = resampled(sound, self._rate, rate)[: samples.size]
        return np.concatenate([found, samples[found.size :]])

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def found(self, samples: Samples, rate: int) -> float:
        loud, _ = self._spectrum(samples, rate)
        return float(self._net.decoder(loud[None])[0].clip(0.0, 1.0).round().mean())

    def _spectrum(self, samples: Samples, rate: int) -> tuple[Any, Any]:
        loud, phase = self._net.ap.signal_to_magphase(resampled(samples, rate, self._rate))
        return loud, phase
