"""The cleanest stretches of a heap of recordings: what a voice is made of when somebody has minutes to choose from.

`study` hears one recording and cuts it at its pauses, each stretch judged by itself; `pick` takes the best until
there is enough, and every recording learns whether it was used and why not. Nothing is fetched or stored here.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from basics.audio import Samples
from basics.errors import Failure
from listening.activity import Activity, Span
from listening.frames import HOP, frames
from voices.cleaning import BETWEEN, append, clean, level, stepped
from voices.decoding import decode
from voices.peaks import Peaks
from voices.quality import CLIPPED, Quality, judge

SECONDS = 14.0
"""Of the finished voice; engines hear at most fifteen."""
SHORTEST, LONGEST = 2.5, 8.0
"""Seconds of one stretch."""
PAUSE = 0.8
"""Seconds of silence at which a stretch ends even if there were room."""
MARGIN = 0.2
"""Seconds kept before and after, where the pause is long enough."""
NOISY_DB = 15.0
RULED_OUT = ("music:", "several speakers:")
"""How the warnings begin that no other virtue makes up for."""
BADLY_CLIPPED = 2 * CLIPPED
MOST_SECONDS = 1800.0
"""Of one recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    recording: str
    start: float
    end: float
    """Seconds in its recording."""
    samples: Samples
    rate: int
    spans: tuple[Span, ...]
    """Where in it somebody speaks."""
    quality: Quality

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What was found out about one recording."""

    name: str
    seconds: float = 0.0
    quality: Quality | None = None
    """Of the whole recording; None where nobody speaks in it."""
    stretches: tuple[Stretch, ...] = ()
    """Those that are clean enough, in order."""
    why_not: str = ""
    """Why no part of it is usable."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one recording."""

    name: str
    used: bool
    why: str


def study(name: str, data: bytes, activity: Activity, cancel: threading.Event) -> Study:
    """A recording that is no sound, or too long, is a finding like any other."""
    try:
        sound = decode(data, MOST_SECONDS, cancel, field=name)
    except Failure as failure:
        if failure.code == "cancelled":
            raise
        return Study(name, why_not=failure.message.removeprefix(f"{name}: ").removeprefix(f"{name} ").rstrip("."))
    cleaned = clean(sound.samples, sound.rate)
    spans = activity.spans(cleaned.samples, cleaned.rate)
    if not spans:
        return Study(name, sound.seconds, why_not=NOBODY)
    whole = judge(cleaned.samples, cleaned.rate, spans, sound.clipped).warned(sound.warnings)
    found = tuple(_stretches(name, sound.samples, sound.rate, cleaned.samples, cleaned.rate, spans))
    usable = tuple(one for one in found if not fault(one.quality))
    study = Study(name, sound.seconds, whole, usable)
    return study if usable else replace(study, why_not=_why_not(whole, found))


NOBODY = "nobody is heard speaking in it"


def fault(quality: Quality) -> str:
    """The first thing that rules a stretch out; empty where it will do."""
    if foreign := next((words for words in quality.warnings if words.startswith(RULED_OUT)), ""):
        return foreign
    if quality.snr_db < NOISY_DB:
        return f"noisy: speech is only {quality.snr_db:.0f} dB over the background; {NOISY_DB:.0f} dB are needed"
    if quality.clipping >= BADLY_CLIPPED:
        return f"clipped: {quality.clipping:.1%} of the samples stand flat at the top"
    return ""


def pick(studies: Sequence[Study], seconds: float = SECONDS) -> tuple[Stretch, ...]:
    """The best first, until there is enough; then in the order in which they were spoken."""
    taken: list[Stretch] = []
    left = seconds
    everything = [stretch for study in studies for stretch in study.stretches]
    for stretch in sorted(everything, key=lambda one: one.quality.score, reverse=True):
        cost = stretch.seconds + (BETWEEN if taken else 0.0)
        if cost <= left:
            taken.append(stretch)
            left -= cost
    return tuple(stretch for stretch in everything if stretch in taken)


def together(stretches: Sequence[Stretch]) -> tuple[Samples, int]:
    """One recording of them all at one level, with a pause between: samples and rate."""
    rate = stretches[0].rate
    parts = [(level(one.samples, rate, one.spans), one.spans) for one in stretches]
    return stepped(append(parts, rate)[0]), rate


def verdicts(studies: Sequence[Study], taken: Sequence[Stretch]) -> list[Verdict]:
    return [_verdict(study, [one for one in taken if one.recording == study.name]) for study in studies]


def _verdict(study: Study, taken: Sequence[Stretch]) -> Verdict:
    if taken:
        parts = ", ".join(f"{one.start:.1f} to {one.end:.1f} s" for one in taken)
        return Verdict(study.name, True, parts)
    return Verdict(study.name, False, study.why_not or "good, but there was enough that is cleaner")


def _why_not(whole: Quality, found: Sequence[Stretch]) -> str:
    if not found:
        return f"too short: {whole.speech_seconds:.1f} s of speech; {SHORTEST:g} s in one piece are needed"
    return fault(whole) or fault(max(found, key=lambda one: one.quality.score).quality)


def _stretches(
    name: str, raw: Samples, raw_rate: int, samples: Samples, rate: int, spans: Sequence[Span]
) -> Iterator[Stretch]:
    seconds = len(samples) / rate
    groups = list(_groups(_cut(samples, rate, spans)))
    for at, group in enumerate(groups):
        before = groups[at - 1][-1].end if at else 0.0
        after = groups[at + 1][0].start if at + 1 < len(groups) else seconds
        start = max(group[0].start - MARGIN, (before + group[0].start) / 2)
        end = min(group[-1].end + MARGIN, (group[-1].end + after) / 2)
        if end - start < SHORTEST:
            continue
        part = samples[round(start * rate) : round(end * rate)]
        peaks = Peaks()
        peaks.add(raw[None, round(start * raw_rate) : round(end * raw_rate)], raw_rate)
        moved = tuple(Span(span.start - start, span.end - start) for span in group)
        yield Stretch(name, start, end, part, rate, moved, judge(part, rate, moved, peaks.share()))


def _groups(spans: Iterable[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for span in spans:
        if group and (span.start - group[-1].end > PAUSE or span.end - group[0].start > LONGEST):
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _cut(samples: Samples, rate: int, spans: Sequence[Span]) -> Iterator[Span]:
    """Spans that go on for too long without a pause are cut where they are quietest."""
    if all(span.seconds <= LONGEST for span in spans):
        yield from spans
        return
    level = frames(samples, rate).level_db
    for span in spans:
        while span.seconds > LONGEST:
            first = round((span.start + LONGEST / 2) / HOP)
            last = min(round((span.start + LONGEST) / HOP), len(level))
            cut = float((first + int(np.argmin(level[first:last]))) * HOP)
            yield Span(span.start, cut)
            span = Span(cut, span.end)
        yield span
