"""The best seconds of a recording: cut at pauses, as long as whoever hears them likes.

Stretches that begin and end in a pause are compared by how much of them is speech, how even it is and how
little noise is between the words; the transcript, where the words' times are known, is that of the stretch.
Nothing is changed but where it begins and ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Word
from listening.activity import Span
from listening.frames import HOP, Frames, frames
from voices.quality import snr_db

SHORTEST, LONGEST = 5.0, 30.0
"""Seconds kept for engines to cut their own from: none hears more."""
MARGIN = 0.15
"""Seconds kept before and after, where the pause is long enough."""
GRACE = 0.05
"""Seconds by which a word's time may lie beyond the cut: recognisers are no more exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    samples: Samples
    start: float
    end: float
    """Seconds in the reference."""
    transcript: str
    """Empty unless words were given."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: float
    end: float
    spans: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        return self.end - self.start


def choose(
    samples: Samples,
    rate: int,
    spans: Sequence[Span],
    shortest: float = SHORTEST,
    longest: float = LONGEST,
    words: Sequence[Word] = (),
) -> Chosen:
    """The whole reference where it is short enough. `reference_too_short` where it does not reach `shortest`."""
    seconds = len(samples) / rate
    if seconds < shortest:
        raise Failure(
            "reference_too_short",
            f"The voice's recording plays {seconds:.1f} s; at least {shortest:g} s are needed.",
            hint="Create the voice anew with a longer recording, or with several.",
        )
    best = _Stretch(0.0, seconds, tuple(spans))
    if seconds > longest:
        heard = frames(samples, rate)
        pieces = _pieces(heard, spans, longest)
        stretches = list(_stretches(pieces, seconds, shortest, longest)) or [_any(seconds, longest)]
        whole = [stretch for stretch in stretches if not _cuts(words, stretch)]
        best = max(whole or stretches, key=lambda stretch: _worth(heard, stretch, longest))
    said = " ".join(word.text.strip() for word in words if _within(word, best))
    return Chosen(samples[round(best.start * rate) : round(best.end * rate)], best.start, best.end, said)


def _pieces(heard: Frames, spans: Sequence[Span], longest: float) -> list[Span]:
    """Spans, those without a pause for too long cut where they are quietest."""
    pieces: list[Span] = []
    for span in spans:
        while span.seconds > longest - 2 * MARGIN:
            first = round((span.start + longest / 2) / HOP)
            last = round((span.start + longest - 2 * MARGIN) / HOP)
            cut = float((first + int(np.argmin(heard.level_db[first:last]))) * HOP)
            pieces.append(Span(span.start, cut))
            span = Span(cut, span.end)
        pieces.append(span)
    return pieces


def _stretches(pieces: Sequence[Span], seconds: float, shortest: float, longest: float) -> Iterator[_Stretch]:
    for first, begin in enumerate(pieces):
        before = pieces[first - 1].end if first else 0.0
        start = max(begin.start - MARGIN, (before + begin.start) / 2)
        for last in range(first, len(pieces)):
            after = pieces[last + 1].start if last + 1 < len(pieces) else seconds
            end = min(pieces[last].end + MARGIN, (pieces[last].end + after) / 2)
            if end - start > longest:
                break
            if end - start >= shortest:
                yield _Stretch(start, end, tuple(pieces[first : last + 1]))


def _any(seconds: float, longest: float) -> _Stretch:
    """Where no pause lies right: from the beginning, as long as may be."""
    end = min(seconds, longest)
    return _Stretch(0.0, end, (Span(0.0, end),))


def _worth(heard: Frames, stretch: _Stretch, longest: float) -> float:
    """Speech first; then quiet between the words and an even voice; then length."""
    own = slice(round(stretch.start / HOP), round(stretch.end / HOP))
    part = Frames(heard.level_db[own], heard.voicing[own], heard.pitch_hz[own], heard.bands_db[own])
    moved = [Span(span.start - stretch.start, span.end - stretch.start) for span in stretch.spans]
    dense = sum(span.seconds for span in stretch.spans) / stretch.seconds
    levels = [float(np.mean(heard.level_db[round(span.start / HOP) : round(span.end / HOP)])) for span in stretch.spans]
    even = 1 / (1 + float(np.std(levels)) / 6)
    return dense + snr_db(part, moved) / 60 + even + 0.5 * stretch.seconds / longest


def _cuts(words: Sequence[Word], stretch: _Stretch) -> bool:
    return any(word.start + GRACE < edge < word.end - GRACE for word in words for edge in (stretch.start, stretch.end))


def _within(word: Word, stretch: _Stretch) -> bool:
    return stretch.start <= (word.start + word.end) / 2 < stretch.end
