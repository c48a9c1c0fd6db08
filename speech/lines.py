"""Atoms become lines as long as an engine speaks well.

Short sentences share a line, a long one is cut into even parts, at clauses where it has some. For a listener who
would else wait, lines are cut once more, to what may be made meanwhile. It knows one passage at a time, and neither
pauses nor voices.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from speech.breaks import Atom, Rank, Weights, atoms
from speech.graphemes import unspaced

SHORT_SHARE = 3
"""A line under a third of what is comfortable takes the next sentence in."""
FIRST_LINE_WORDS = 5
"""No first line is cut shorter: a network speaks a few words badly."""
PHRASE_WORDS = 4
"""Before a phrase and from there to its clause's end: the least, where a first line ends before a phrase."""
_DETOUR = {Rank.SENTENCE: 0, Rank.CLAUSE: 1, Rank.PHRASE: 2, Rank.SPACE: 3, Rank.FORCED: 4}
"""By how many lines' length a worse place must be nearer to be cut at."""


@dataclass(frozen=True, slots=True)
class Stretch:
    start: int
    end: int
    rank: Rank
    """What ends it."""


def lines(
    text: str, language: str, tags: Collection[str], room: int, early: bool, most: Callable[[], float] | None = None
) -> Iterator[Stretch]:
    """Stretches of canonical text, in order, without the spaces between. `early` shortens the first.

    `most` is asked before each line how much it may weigh; with it a first line may end before a phrase.
    """
    weights = Weights(text)
    found = left = atoms(text, language, tags, weights, room)
    first: list[Stretch] = []
    if early and (cut := _early(text, left, weights, room, phrases=most is not None)):
        first, left = [_joined(left[:cut])], left[cut:]
    parts = [part for sentence in _sentences(left) for part in _even(sentence, weights, room)]
    made = first + _merged(parts, weights, room)
    for line in made if most is None else _within(text, made, found, weights, most):
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


def _early(text: str, found: list[Atom], weights: Weights, room: int, phrases: bool) -> int | None:
    """How many atoms make a first line: up to the first clause with enough words, if enough are left."""
    clause = _clause(text, found, weights, room)
    if phrases and (cut := _phrase(text, found, found[clause].end if clause is not None else weights.reach(0, room))):
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


def _phrase(text: str, found: list[Atom], end: int) -> int | None:
    """How many atoms come before the first phrase in a clause that ends at `end`, with enough words on both sides."""
    for count, atom in enumerate(found, 1):
        if atom.end >= end:
            return None
        if atom.rank is Rank.PHRASE and min(words(text[: atom.end]), words(text[atom.end : end])) >= PHRASE_WORDS:
            return count
    return None


def _within(
    text: str, made: list[Stretch], found: list[Atom], weights: Weights, most: Callable[[], float]
) -> Iterator[Stretch]:
    """Each line, or what it is cut into so that none is more than it may be."""
    at = 0
    for line in made:
        end = next(index for index in range(at, len(found)) if found[index].end == line.end) + 1
        while weights.of(found[at].start, line.end) > (limit := most()):
            if (count := _short(text, found[at:end], weights, limit)) is None:
                break
            yield _joined(found[at : at + count])
            at += count
        yield _joined(found[at:end])
        at = end


def _short(text: str, run: list[Atom], weights: Weights, limit: float) -> int | None:
    """How many atoms make a line of at most `limit`, or the least line there may be; the best place goes first."""
    start, end = run[0].start, run[-1].end
    share = min(limit, weights.of(start, end) / 2)
    best, best_cost = None, float("inf")
    for count, atom in enumerate(run[:-1], 1):
        weight = weights.of(start, atom.end)
        if weight > limit and best is not None:
            break
        if min(words(text[start : atom.end]), words(text[atom.end : end])) < FIRST_LINE_WORDS:
            continue
        cost = abs(weight - share) + limit * (_DETOUR[atom.rank] if weight > share / 3 else len(_DETOUR))
        if cost <= best_cost:
            best, best_cost = count, cost
    return best


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
