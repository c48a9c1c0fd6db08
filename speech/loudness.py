"""How loud a programme is, measured as it comes: ITU-R BS.1770's gated loudness and true peak.

The meter keeps one number for each tenth of a second, so an hour is a few hundred kilobytes.
"""

import math
from dataclasses import dataclass

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from basics.audio import SILENT_DB, Samples, peak, to_db
from speech.chain import Chain
from speech.limiter import OVERSAMPLING

HOPS_A_SECOND = 10
BLOCK_HOPS = 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
OFFSET = -0.691
HIGHEST_GAIN_DB = 30.0
"""No gain is larger: sound that quiet is mostly its own noise."""


@dataclass(frozen=True, slots=True)
class Loudness:
    lufs: float
    """-120 for silence, and for what is all under the gate."""
    true_peak_db: float


class Meter:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._weighting = Chain(rate, _shelf(rate), _high_pass(rate), kind="dbl")
        # Not the limiter's own filter: a meter that shares it would share its faults.
        self._oversampler = soxr.ResampleStream(rate, OVERSAMPLING * rate, 1, dtype="float32")
        self._peak = 0.0
        self._powers: list[float] = []
        """Of each full tenth of a second, the sum of squares."""
        self._open = np.zeros(0, np.float64)

    def feed(self, samples: Samples) -> None:
        self._hear_peak(samples)
        self._hear_peak(self._oversampler.resample_chunk(samples))
        self._hear_power(self._weighting.feed(samples))

    def finish(self) -> Loudness:
        self._hear_peak(self._oversampler.resample_chunk(np.zeros(0, np.float32), last=True))
        self._hear_power(self._weighting.finish())
        return Loudness(self._integrated(), to_db(self._peak))

    def _hear_peak(self, samples: Samples) -> None:
        self._peak = max(self._peak, peak(samples))

    def _hear_power(self, weighted: NDArray[np.float64]) -> None:
        self._open = np.concatenate([self._open, np.square(weighted)])
        while self._open.size >= (hop := self._hop(len(self._powers))):
            self._powers.append(float(self._open[:hop].sum()))
            self._open = self._open[hop:]

    def _hop(self, index: int) -> int:
        """Samples in the tenth of a second of this index; at 11,025 Hz they are not all alike."""
        return self._rate * (index + 1) // HOPS_A_SECOND - self._rate * index // HOPS_A_SECOND

    def _integrated(self) -> float:
        if len(self._powers) < BLOCK_HOPS:
            return self._ungated()
        blocks = np.convolve(self._powers, np.ones(BLOCK_HOPS), "valid") * HOPS_A_SECOND / (BLOCK_HOPS * self._rate)
        loud = blocks[_lufs(blocks) >= ABSOLUTE_GATE]
        if not loud.size:
            return SILENT_DB
        kept = loud[_lufs(loud) >= float(_lufs(loud.mean())) + RELATIVE_GATE]
        return float(_lufs(kept.mean()))

    def _ungated(self) -> float:
        """Of a sound too short for one block of the standard: the mean over what there is."""
        size = self._rate * len(self._powers) // HOPS_A_SECOND + self._open.size
        mean = (sum(self._powers) + float(self._open.sum())) / size if size else 0.0
        lufs = float(_lufs(np.asarray(mean)))
        return lufs if lufs >= ABSOLUTE_GATE else SILENT_DB


def measure(samples: Samples, rate: int) -> Loudness:
    meter = Meter(rate)
    meter.feed(samples)
    return meter.finish()


def stream_gain_db(spoken_lufs: float | None, target_lufs: float | None) -> float:
    """The one gain of a stream, from how loud the model speaks this voice. Nothing measured or asked: no gain."""
    if spoken_lufs is None or target_lufs is None or spoken_lufs <= ABSOLUTE_GATE:
        return 0.0
    return min(HIGHEST_GAIN_DB, target_lufs - spoken_lufs)


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(OFFSET + 10 * np.log10(np.maximum(power, 1e-12)))


def _shelf(rate: int) -> tuple[str, str]:
    """The head's: +4 dB above 1.5 kHz."""
    a, w, alpha = 10 ** (4 / 40), 2 * math.pi * 1_500 / rate, math.sin(2 * math.pi * 1_500 / rate) / math.sqrt(2)
    rise, cosine, width = a + 1, (a - 1) * math.cos(w), 2 * math.sqrt(a) * alpha
    return _biquad(
        (a * (rise + cosine + width), -2 * a * (a - 1 + (a + 1) * math.cos(w)), a * (rise + cosine - width)),
        (rise - cosine + width, 2 * (a - 1 - (a + 1) * math.cos(w)), rise - cosine - width),
    )


def _high_pass(rate: int) -> tuple[str, str]:
    """What is under 38 Hz is felt more than heard."""
    w = 2 * math.pi * 38 / rate
    cosine, alpha = math.cos(w), math.sin(w)
    return _biquad(((1 + cosine) / 2, -1 - cosine, (1 + cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))


def _biquad(zeros: tuple[float, float, float], poles: tuple[float, float, float]) -> tuple[str, str]:
    named = zip(("b0", "b1", "b2", "a0", "a1", "a2"), (*zeros, *poles), strict=True)
    return "biquad", ":".join([f"{name}={value / poles[0]:.17g}" for name, value in named]) + ":precision=f64"
