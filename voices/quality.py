"""What is wrong with a recording, in numbers and in words that whoever made it understands.

It judges and changes nothing. Noise is measured where nobody speaks, clipping where samples pile up, music by
tones that stand still, company by pitch and timbre: estimates all, which warn and lower the score. Only too
little speech is refused, and that by `reference.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from basics.audio import SILENT_DB, Samples
from listening.activity import Span
from listening.frames import HOP, Frames, frames
from voices.company import Company, several
from voices.music import steady_share

GOOD_SNR_DB, BAD_SNR_DB = 30.0, 5.0
NOISY_DB = 20.0
BEST_SNR_DB = 60.0
CLIPPED = 0.0005
MUSIC = 0.05
ENOUGH_SECONDS = 5.0
PLENTY_SECONDS = 10.0
PAUSE_FRAMES = 20
"""Frames without speech that it takes to hear the noise alone."""
GUARD = 6
"""Frames left out beside each word: a voice fades, and rooms ring."""


@dataclass(frozen=True, slots=True)
class Quality:
    score: float
    """0 for useless to 1 for nothing to complain of."""
    snr_db: float
    """Speech over what is there when nobody speaks, both from 80 Hz to 5 kHz; 60 stands for that or more."""
    clipping: float
    """Share of samples that stand flat at the top."""
    speech_seconds: float
    warnings: tuple[str, ...] = ()

    def warned(self, more: Sequence[str]) -> "Quality":
        return replace(self, warnings=(*more, *self.warnings))


def judge(samples: Samples, rate: int, spans: Sequence[Span], clipped: float) -> Quality:
    """`samples` as `cleaning.clean` leaves them, before silence is trimmed: the noise is heard in the pauses."""
    heard = frames(samples, rate)
    noise = snr_db(heard, spans)
    speech = sum(span.seconds for span in spans)
    music = steady_share(samples, rate)
    company = several(heard, spans)
    words = tuple(_warnings(noise, clipped, speech, music, company))
    return Quality(_score(noise, clipped, speech, music, company), round(noise, 1), round(clipped, 5), speech, words)


def snr_db(heard: Frames, spans: Sequence[Span]) -> float:
    """From mean powers; without a pause, from the quietest frames between two sounds."""
    power = 10 ** (heard.level_db.astype(np.float64) / 10)
    spoken, near = np.zeros(len(power), np.bool_), np.zeros(len(power), np.bool_)
    for span in spans:
        first, last = round(span.start / HOP), round(span.end / HOP)
        spoken[first:last] = True
        near[max(0, first - GUARD) : last + GUARD] = True
    if not spoken.any():
        return 0.0
    both = power[spoken].mean()
    alone = power[~near]
    noise = float(np.mean(alone)) if alone.size >= PAUSE_FRAMES else float(np.quantile(power[spoken], 0.03))
    noise = max(noise, 10 ** (SILENT_DB / 10))
    return float(np.clip(10 * np.log10(max(both - noise, 1e-3 * both) / noise), 0, BEST_SNR_DB))


def _warnings(noise: float, clipped: float, speech: float, music: float, company: Company | None) -> Iterator[str]:
    if noise < NOISY_DB:
        yield f"noisy: speech is only {noise:.0f} dB over the background; {GOOD_SNR_DB:.0f} dB clones well"
    if clipped >= CLIPPED:
        yield f"clipped: {clipped:.1%} of the samples stand flat at the top; record with less gain"
    if music >= MUSIC:
        yield f"music: {music:.0%} of the time there are steady tones, as of instruments; use a voice alone"
    if company is not None:
        yield (
            f"several speakers: one near {company.low_hz:.0f} Hz and one near {company.high_hz:.0f} Hz; "
            "use recordings of one person"
        )
    if speech < ENOUGH_SECONDS:
        yield f"short: {speech:.1f} s of speech; {ENOUGH_SECONDS:.0f} to 15 s clone better"


def _score(noise: float, clipped: float, speech: float, music: float, company: Company | None) -> float:
    """A product: one thing that is very wrong is not made up for by the others."""
    clean = 0.2 + 0.8 * float(np.clip((noise - BAD_SNR_DB) / (GOOD_SNR_DB - BAD_SNR_DB), 0, 1))
    whole = 1 - 0.7 * min(1.0, clipped / 0.05)
    alone = 1 - 0.8 * float(np.clip((music - MUSIC) / 0.3, 0, 1))
    long = 0.5 + 0.5 * min(1.0, speech / PLENTY_SECONDS)
    return round(clean * whole * alone * long * (0.4 if company else 1.0), 3)
