"""Atoms become lines as long as an engine speaks well.

Short sentences share a line, a long one is cut into even parts, at clauses where it has some. It knows one
passage at a time, and neither pauses nor voices.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from speech.breaks import Atom, Rank, Weights, atoms
from speech.graphemes import unspaced

SHORT_SHARE = 3
"""A line under a third of what is comfortable takes the next sentence in."""
FIRST_LINE_WORDS = 5
"""No first line is cut shorter: a network speaks a few words badly."""


@dataclass(frozen=True, slots=True)
class Stretch:
    start: int
    end: int
    rank: Rank
    """What ends it."""


def lines(text: str, language: str, tags: Collection[str], room: int, early: bool) -> list[Stretch]:
    """Stretches of canonical text, in order, without the spaces between. `early` shortens the first."""
    weights = Weights(text)
    left = atoms(text, language, tags, weights, room)
    first: list[Stretch] = []
    if early and (cut := _early(text, left, weights, room)):
        first, left = [_joined(left[:cut])], left[cut:]
    parts = [part for sentence in _sentences(left) for part in _even(sentence, weights, room)]
    return [_trimmed(text, line) for line in first + _merged(parts, weights, room)]


def words(text: str) -> int:
    """About how many words it has; in scripts without spaces two characters are one."""
    packed = sum(map(unspaced, text))
    return packed // 2 + sum(any(char.isalnum() and not unspaced(char) for char in word) for word in text.split())


def _joined(run: Sequence[Atom | Stretch]) -> Stretch:
    return Stretch(run[0].start, run[-1].end, run[-1].rank)


def _trimmed(text: str, line: Stretch) -> Stretch:
    start, end = line.start, line.end
    return Stretch(start + (text[start] == " "), end - (text[end - 1] == " "), line.rank)


def _early(text: str, found: list[Atom], weights: Weights, room: int) -> int | None:
    """How many atoms make a first line: up to the first clause with enough words, if enough are left."""
    end = len(text)
    for index, atom in enumerate(found):
        if weights.of(0, atom.end) > room:
            return None
        if atom.rank >= Rank.CLAUSE and words(text[: atom.end]) >= FIRST_LINE_WORDS:
            rest = words(text[atom.end : min(end, atom.end + room)])
            return index + 1 if rest >= FIRST_LINE_WORDS or (rest and atom.rank is Rank.SENTENCE) else None
    return None


def _sentences(found: list[Atom]) -> list[list[Atom]]:
    """Atoms by sentence."""
    number = 0
    numbered = []
    for atom in found:
        numbered.append((number, atom))
        number += atom.rank is Rank.SENTENCE
    return [[atom for _, atom in group] for _, group in groupby(numbered, key=lambda pair: pair[0])]


def _even(sentence: list[Atom], weights: Weights, room: int) -> list[Stretch]:
    """The sentence whole, or in about even parts that are comfortable."""
    parts = []
    begin = 0
    while (weight := weights.of(sentence[begin].start, sentence[-1].end)) > room and begin < len(sentence) - 1:
        share = weight / -(-weight // room)
        last = _cut(sentence, begin, share, weights, room)
        parts.append(_joined(sentence[begin : last + 1]))
        begin = last + 1
        if begin == len(sentence):
            return parts
    return [*parts, _joined(sentence[begin:])]


def _cut(sentence: list[Atom], begin: int, share: float, weights: Weights, room: int) -> int:
    """The atom that ends a part: of those that fit, a clause's end near the share, else any near it."""
    start = sentence[begin].start
    best, best_cost = begin, float("inf")
    for index in range(begin, len(sentence)):
        weight = weights.of(start, sentence[index].end)
        if weight > room:
            break
        clause = sentence[index].rank >= Rank.CLAUSE and weight > share / 3
        cost = abs(weight - share) + (0 if clause else room)
        if cost <= best_cost:
            best, best_cost = index, cost
    return best


def _merged(parts: list[Stretch], weights: Weights, room: int) -> list[Stretch]:
    """Short parts share a line while that stays comfortable; a short last one joins the line before it."""
    short = room // SHORT_SHARE
    found: list[Stretch] = []
    for part in parts:
        fits = bool(found) and weights.of(found[-1].start, part.end) <= room
        if fits and weights.of(found[-1].start, found[-1].end) < short:
            found[-1] = _joined([found[-1], part])
        else:
            found.append(part)
    if len(found) > 1 and weights.of(found[-1].start, found[-1].end) < short // 2:
        before, last = found[-2:]
        if weights.of(before.start, last.end) <= room:
            found[-2:] = [_joined([before, last])]
    return found
