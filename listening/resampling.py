"""Sound at another rate, by soxr, which lets nothing through that does not belong below the new rate's half."""

import numpy as np
import soxr  # type: ignore[import-untyped]

from basics.audio import Samples


def resampled(samples: Samples, rate: int, to_rate: int) -> Samples:
    if rate == to_rate:
        return samples
    return np.asarray(soxr.resample(samples, rate, to_rate), np.float32)
