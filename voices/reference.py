"""A reference, from what the caller wrote to what engines hear: fetched, decoded, cleaned, judged, joined.

`take_in` is the road. It blocks, in a thread of its own, keeps nothing, and gives the same samples for the
same bytes. Storing them, and which seconds an engine takes (`choosing.py`), are others' business.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from basics.audio import Samples
from basics.errors import Failure
from basics.settings import Settings
from listening.activity import Activity, Span
from listening.silero import installed
from voices.cleaning import RATE, Cleaned, append, clean, level, loudness, stepped, trim
from voices.decoding import decode
from voices.quality import Quality, judge
from voices.sources import Places, Source, collect, sources

LEAST_SPEECH = 2.0
QUIET_LUFS = -45.0
LOW_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: float = 600.0
    """All recordings of one voice together. How large each may be is `Places.fetching.most_bytes`."""
    least_speech: float = LEAST_SPEECH
    """Seconds."""
    rate: int = RATE

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        return cls(settings.reference_seconds)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    samples: Samples
    """float32 mono; each a whole multiple of 2**-15, so that 16-bit FLAC keeps them exactly."""
    rate: int
    quality: Quality
    sha256: str
    """Of the samples and their rate: what conditioning is keyed by."""
    seconds: float
    spans: tuple[Span, ...]
    """Where in it somebody speaks."""
    recordings: tuple[Span, ...]
    """Where in it each of the caller's recordings lies."""


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    """One of them, ready to be joined."""

    samples: Samples
    spans: tuple[Span, ...]
    quality: Quality


def take_in(
    given: Any,
    places: Places,
    limits: Limits = Limits(),
    cancel: threading.Event | None = None,
    activity: Activity | None = None,
    field: str = "reference",
) -> Reference:
    """Every recording must be usable: a voice made of fewer than were sent would be a silent substitute."""
    asked = sources(given, field)
    cancel = cancel or threading.Event()
    recordings: list[_Recording] = []
    left = limits.seconds
    for source in asked:
        recording, seconds = _recording(source, places, limits, left, cancel, activity or installed())
        recordings.append(recording)
        left -= seconds
    return _joined(recordings, limits, field)


def fingerprint(samples: Samples, rate: int) -> str:
    """Of samples on the grid of `cleaning.stepped`: the same before and after they were kept as 16-bit FLAC."""
    return hashlib.sha256(b"%d;" % rate + (samples * 32768).astype("<i2").tobytes()).hexdigest()


def _recording(
    source: Source, places: Places, limits: Limits, left: float, cancel: threading.Event, activity: Activity
) -> tuple[_Recording, float]:
    sound = decode(collect(source, places, cancel), left, cancel, source.field, limits.rate)
    cleaned = clean(sound.samples, sound.rate, limits.rate)
    spans = activity.spans(cleaned.samples, cleaned.rate)
    if not spans:
        raise _too_short(0.0, limits, source.field)
    if cancel.is_set():
        raise Failure("cancelled", "The job was cancelled while its reference was cleaned.", field=source.field)
    lufs = loudness(cleaned.samples, cleaned.rate, spans)
    quality = judge(cleaned.samples, cleaned.rate, spans, sound.clipped)
    quality = quality.warned([*sound.warnings, *_doubts(cleaned, sound.rate, lufs)])
    samples, trimmed = trim(cleaned.samples, cleaned.rate, spans)
    return _Recording(level(samples, cleaned.rate, trimmed), trimmed, quality), sound.seconds


def _doubts(cleaned: Cleaned, rate: int, lufs: float) -> Sequence[str]:
    doubts = []
    if cleaned.hum is not None:
        doubts.append(f"mains hum at {cleaned.hum.mains} Hz and its multiples was taken out")
    if abs(cleaned.offset) > 0.01:
        doubts.append(f"a constant offset of {abs(cleaned.offset):.0%} of full scale was taken out")
    if lufs < QUIET_LUFS:
        doubts.append(f"quiet: the speech was at {lufs:.0f} LUFS; its noise was raised with it")
    if rate < LOW_RATE:
        doubts.append(f"dull: recorded at {rate} Hz, so nothing above {rate // 2} Hz is known of the voice")
    return doubts


def _joined(recordings: Sequence[_Recording], limits: Limits, field: str) -> Reference:
    rate = limits.rate
    speech = sum(one.quality.speech_seconds for one in recordings)
    if speech < limits.least_speech:
        raise _too_short(speech, limits, field)
    samples, spans, places = append([(one.samples, one.spans) for one in recordings], rate)
    samples = stepped(samples)
    quality = recordings[0].quality if len(recordings) == 1 else _together(recordings, samples, rate, spans)
    return Reference(samples, rate, quality, fingerprint(samples, rate), len(samples) / rate, spans, places)


def _together(recordings: Sequence[_Recording], samples: Samples, rate: int, spans: Sequence[Span]) -> Quality:
    """Noise and clipping as bad as in the worst; company judged over all, since each may hold one person."""
    whole = judge(samples, rate, spans, max(one.quality.clipping for one in recordings))
    each = [f"recording {at}: {words}" for at, one in enumerate(recordings, 1) for words in one.quality.warnings]
    company = [words for words in whole.warnings if words.startswith("several speakers")]
    return Quality(
        min(whole.score, *(one.quality.score for one in recordings)),
        min(one.quality.snr_db for one in recordings),
        whole.clipping,
        whole.speech_seconds,
        (*company, *(words for words in each if ": short: " not in words)),
    )


def _too_short(speech: float, limits: Limits, field: str) -> Failure:
    found = f"holds {speech:.1f} s of speech" if speech else "holds no speech"
    return Failure(
        "reference_too_short",
        f"{field} {found}; at least {limits.least_speech:g} s are needed.",
        field=field,
        hint="5 to 15 s of one person speaking, without music, clone best.",
    )
