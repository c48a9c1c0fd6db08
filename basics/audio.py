"""Sound inside the house: float32 mono arrays within plus or minus one, and the few sums done on them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SILENT_DB = -120.0
"""What digital silence measures as, so that no caller meets minus infinity."""


def silence(seconds: float, rate: int) -> Samples:
    return np.zeros(max(0, round(seconds * rate)), np.float32)


def join(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def to_db(ratio: float) -> float:
    return float(20 * np.log10(ratio)) if ratio > 1e-6 else SILENT_DB


def from_db(db: float) -> float:
    return float(10 ** (db / 20))


def peak(samples: Samples) -> float:
    return float(np.max(np.abs(samples))) if samples.size else 0.0


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def to_s16(samples: Samples) -> NDArray[np.int16]:
    """Sixteen-bit samples, rounded, never wrapped."""
    scaled = samples * 32767.0
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -32768, 32767, out=scaled).astype(np.int16)


def as_mono(samples: NDArray[Any]) -> Samples:
    """What an engine returned, as the house keeps sound: one row of finite float32."""
    flat = np.asarray(samples, dtype=np.float32).reshape(-1)
    return np.ascontiguousarray(np.nan_to_num(flat, nan=0.0, posinf=1.0, neginf=-1.0))
