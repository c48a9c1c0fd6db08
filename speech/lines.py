"""Atoms become lines as long as an engine speaks well.

Short sentences share a line, a long one is cut into even parts, at clauses where it has some. For a listener who
would else wait, lines are cut once more, to what may be made meanwhile. It knows one passage at a time, and neither
pauses nor voices.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from speech.breaks import Atom, Rank, Weights, atoms
from speech.graphemes import unspaced
from speech.ramp import Ramp

SHORT_SHARE = 3
"""A line under a third of what is comfortable takes the next sentence in."""
FIRST_LINE_WORDS = 5
"""No first line is cut shorter: a network speaks a few words badly."""
PHRASE_WORDS = 4
"""Before a phrase and from there to its clause's end: the least, where a first line ends before a phrase."""
CLINGING_LETTERS = 3
"""Behind so short a word a line is rarely cut well: articles and prepositions want what follows."""


@dataclass(frozen=True, slots=True)
class Stretch:
    start: int
    end: int
    rank: Rank
    """What ends it."""


@dataclass(frozen=True, slots=True)
class Hurry:
    """Of a stream whose lines may come too late."""

    ramp: Ramp
    """Whoever takes a line tells it."""
    pace: float
    """By weight, in a second of the engine's sound."""

    @property
    def ease(self) -> float:
        return self.ramp.ease * self.pace

    @property
    def most(self) -> float:
        return self.ramp.most * self.pace


def lines(
    text: str, language: str, tags: Collection[str], room: int, early: bool, hurry: Hurry | None = None
) -> Iterator[Stretch]:
    """Stretches of canonical text, in order, without the spaces between. `early` shortens the first, `hurry` each that
    would not be made in time."""
    weights = Weights(text)
    found = left = atoms(text, language, tags, weights, room)
    first: list[Stretch] = []
    if early and (cut := _early(text, left, weights, room, hurry)):
        first, left = [_joined(left[:cut])], left[cut:]
    parts = [part for sentence in _sentences(left) for part in _even(sentence, weights, room)]
    made = first + _merged(parts, weights, room)
    for line in made if hurry is None else _hurried(text, made, found, weights, hurry):
        yield _trimmed(text, line)


def words(text: str) -> int:
    """About how many words it has; in scripts without spaces two characters are one."""
    packed = sum(map(unspaced, text))
    return packed // 2 + sum(any(char.isalnum() and not unspaced(char) for char in word) for word in text.split())


def _joined(run: Sequence[Atom | Stretch]) -> Stretch:
    return Stretch(run[0].start, run[-1].end, run[-1].rank)


def _trimmed(text: str, line: Stretch) -> Stretch:
    start, end = line.start, line.end
    return Stretch(start + (text[start] == " "), end - (text[end - 1] == " "), line.rank)


def _early(text: str, found: list[Atom], weights: Weights, room: int, hurry: Hurry | None) -> int | None:
    """How many atoms make a first line: up to the first clause with enough words, if enough are left."""
    clause = _clause(text, found, weights, room)
    if hurry:
        end = weights.reach(0, room) if clause is None else found[clause].end
        if cut := _phrase(text, found, end, weights, hurry.ramp):
            return cut
    if clause is None:
        return None
    atom = found[clause]
    rest = words(text[atom.end : min(len(text), atom.end + room)])
    return clause + 1 if rest >= FIRST_LINE_WORDS or (rest and atom.rank is Rank.SENTENCE) else None


def _clause(text: str, found: list[Atom], weights: Weights, room: int) -> int | None:
    """Where the first clause with enough words ends."""
    for index, atom in enumerate(found):
        if weights.of(0, atom.end) > room:
            return None
        if atom.rank >= Rank.CLAUSE and words(text[: atom.end]) >= FIRST_LINE_WORDS:
            return index
    return None


def _phrase(text: str, found: list[Atom], end: int, weights: Weights, ramp: Ramp) -> int | None:
    """How many atoms come before the first phrase of a clause that ends at `end`, where there are enough words on both
    sides and the phrase, or what it may be cut into, can be made while they are heard."""
    phrases = [atom.end for atom in found if atom.rank is Rank.PHRASE and atom.end < end]
    for start, stop in pairwise([*phrases, end]):
        enough = min(words(text[:start]), words(text[start:end])) >= PHRASE_WORDS
        soon = ramp.follows(weights.of(start, stop), weights.of(0, start))
        if enough and (soon or words(text[start:stop]) >= 2 * FIRST_LINE_WORDS):
            return 1 + next(index for index, atom in enumerate(found) if atom.end == start)
    return None


def _hurried(text: str, made: list[Stretch], found: list[Atom], weights: Weights, hurry: Hurry) -> Iterator[Stretch]:
    """Each line, or what it is cut into so that each part is made in time."""
    at = 0
    for line in made:
        end = next(index for index in range(at, len(found)) if found[index].end == line.end) + 1
        while weights.of(found[at].start, line.end) > hurry.ease:
            if (count := _part(text, found[at:end], weights, hurry)) is None:
                break
            yield _joined(found[at : at + count])
            at += count
        yield _joined(found[at:end])
        at = end


def _part(text: str, run: list[Atom], weights: Weights, hurry: Hurry) -> int | None:
    """How many atoms of a line make the next one, None for all. It ends well within what is easy, else within what
    just may be, else anywhere before it would end well."""
    start, whole = run[0].start, weights.of(run[0].start, run[-1].end)
    well = [count for count in _parting(text, run) if run[count - 1].rank >= Rank.PHRASE]
    easy = [count for count in well if weights.of(start, run[count - 1].end) <= hurry.ease]
    if easy:
        return max(easy, key=lambda count: (run[count - 1].rank, count))
    if whole <= hurry.most:
        return None
    end = well[0] if well else len(run)
    weight = weights.of(start, run[end - 1].end)
    if weight > hurry.most and (anywhere := _parting(text, run[:end])):
        return min(anywhere, key=lambda count: _roughness(text, run[:count], weights, min(hurry.ease, weight / 2)))
    return end if well else None


def _parting(text: str, run: list[Atom]) -> list[int]:
    """After how many atoms it may be cut so that neither part has too few words."""
    ends = [atom.end for atom in run]
    return [
        count
        for count, end in enumerate(ends[:-1], 1)
        if min(words(text[run[0].start : end]), words(text[end : ends[-1]])) >= FIRST_LINE_WORDS
    ]


def _roughness(text: str, part: list[Atom], weights: Weights, share: float) -> float:
    """How badly a part without an end of its own ends."""
    start, end = part[0].start, part[-1].end
    last = text[start:end].split()[-1]
    clings = not any(map(unspaced, last)) and len(last) <= CLINGING_LETTERS
    return abs(weights.of(start, end) - share) + (share / 4 if clings else 0.0)


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
