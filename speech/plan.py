"""A plan: passages become segments, each a line that the engine speaks well, with the silence before it.

For engines that deliver a line whole, a stream's first line is cut at a clause, so that sound comes early, and on a
slow device its lines grow with the sound in hand; for all others the lines of a stream and of a file are the same. No
segment is lost, empty or without a letter: the segments of a passage put together are its text. It knows no engine,
voice or sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.card import Card
from speech.breaks import Rank
from speech.characters import LONGEST_RUN, speakable, spoken
from speech.lines import Hurry, lines
from speech.ramp import Ramp
from speech.script import Passage

PARAGRAPH_SECONDS = 0.7
TURN_SECONDS = 0.45
SENTENCE_SECONDS = 0.35
UNMARKED_SECONDS = 0.05
"""Between words, where a long sentence without clauses had to be cut."""
PAUSE_SECONDS = {
    "…": 0.5, "?": 0.4, "!": 0.4, "？": 0.4, "！": 0.4, "؟": 0.4,
    ".": SENTENCE_SECONDS, "。": SENTENCE_SECONDS, "।": SENTENCE_SECONDS, "۔": SENTENCE_SECONDS,
    ":": 0.25, "：": 0.25, ";": 0.25, "；": 0.25, "؛": 0.25, "—": 0.2, "–": 0.2,
    ",": 0.12, "，": 0.12, "、": 0.12, "،": 0.12,
}  # fmt: skip
"""Silence behind a line, by its last mark, at speed 1."""
_CLOSERS = "\"'”’»)]}」』】》） "


@dataclass(frozen=True, slots=True)
class Segment:
    index: int
    text: str
    language: str
    pause: float
    """Seconds of silence before it, to the sample."""
    voice: Any
    speed: float
    params: Mapping[str, Any]
    turn: int | None
    passage: int
    start: int
    """Where it begins in the passage's canonical text."""


def plan(passages: Sequence[Passage], card: Card, *, stream: bool, ramp: Ramp | None = None) -> tuple[Segment, ...]:
    """`ramp`: a stream's on a slow device. It goes on where the passages before these ended."""
    segments: list[Segment] = []
    before: tuple[Passage, str, Rank] | None = None
    for number, passage in enumerate(passages):
        text = spoken(passage.text)
        if not speakable(text):
            continue
        language = passage.language or card.languages[0]
        early = stream and card.whole and not segments
        hurry = Hurry(ramp, card.pace * card.natively(passage.speed)) if ramp else None
        for line in lines(text, language, card.tags, card.fits(language), early, hurry):
            said = text[line.start : line.end]
            pause = _silence(before, passage)
            segments.append(
                Segment(
                    len(segments), said, language, pause, passage.voice, passage.speed, passage.params,
                    passage.turn, number, line.start,
                )
            )  # fmt: skip
            before = (passage, said, line.rank)
            if ramp:
                seconds = card.seconds(said)
                ramp.add(seconds / card.natively(passage.speed), seconds / passage.speed + pause)
    return tuple(segments)


def longest_line(card: Card) -> int:
    """The hard limit of a line, by weight: a word past it is cut, whatever it is."""
    return 2 * card.comfortable + 3 * LONGEST_RUN


def estimate(segments: Sequence[Segment], card: Card, *, after: float = 0.0) -> float:
    """About how many seconds it will play, at each segment's own speed, silence included."""
    return after + sum(segment.pause + card.seconds(segment.text) / segment.speed for segment in segments)


def _silence(before: tuple[Passage, str, Rank] | None, passage: Passage) -> float:
    """What was asked for, exactly; else by punctuation, shorter where speech is faster."""
    begins = before is None or before[0] is not passage
    if begins and passage.pause is not None:
        return passage.pause
    if before is None:
        return 0.0
    last, said, rank = before
    seconds = pause_after(said, rank)
    if begins:
        least = PARAGRAPH_SECONDS if passage.paragraph else TURN_SECONDS if last.turn != passage.turn else 0.0
        seconds = max(seconds, least)
    return seconds / passage.speed


def pause_after(line: str, rank: Rank) -> float:
    """The silence that a line's last mark asks for."""
    line = line.rstrip(_CLOSERS)
    if line.endswith(("...", "…")):
        return PAUSE_SECONDS["…"]
    found = PAUSE_SECONDS.get(line[-1:])
    if found is not None:
        return found
    return {Rank.SENTENCE: SENTENCE_SECONDS, Rank.FORCED: 0.0}.get(rank, UNMARKED_SECONDS)
