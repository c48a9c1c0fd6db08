"""Where canonical text may be cut, and how well: behind a sentence, behind a clause, before a phrase, at a space.

Never inside a word, a number, an address, a model's tag or a character. What is longer than any engine takes
(a word of a thousand letters) is cut between characters all the same, and text without spaces where a
character ends.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate

from speech.characters import LONGEST_RUN, dense, speakable
from speech.graphemes import breakable, spaceless, unspaced
from speech.phrases import phrase_starts
from speech.sentences import boundaries

_CLAUSE = re.compile(
    r"(?:[,;:…—–،؛)\]»]|\.{2,4})[\"'”’»)\]]{0,3} "  # clause punctuation before a space
    r"| (?=[—–] )"  # a dash of its own belongs to what follows it
    r"|[、，；：。！？…]+[」』”’）】》]*(?![、，；：。！？…」』”’）】》 ])"  # full-width punctuation needs no space
)
_DIGIT_GROUPS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")

_OPENERS = frozenset(" ¿¡—–-•*#")


class Rank(IntEnum):
    FORCED = 0
    """Between characters: text without spaces, or a word past every limit."""
    SPACE = 1
    PHRASE = 2
    """Before a word that begins a phrase."""
    CLAUSE = 3
    SENTENCE = 4


@dataclass(frozen=True, slots=True)
class Atom:
    """The least that is kept together. It always holds a letter or digit."""

    start: int
    end: int
    rank: Rank
    """What ends it."""


class Weights:
    """How much a stretch of text weighs: a letter 1, a character of a dense script 3."""

    def __init__(self, text: str) -> None:
        self._sums = list(accumulate((3 if dense(char) else 1 for char in text), initial=0))

    def of(self, start: int, end: int) -> int:
        return self._sums[end] - self._sums[start]

    def reach(self, start: int, weight: int) -> int:
        """The furthest offset such that what lies between weighs at most this."""
        return bisect_right(self._sums, self._sums[start] + weight) - 1


def atoms(text: str, language: str, tags: Collection[str], weights: Weights, room: int) -> list[Atom]:
    """Canonical text in pieces that are not to be cut, each at most twice `room`, nearly always at most `room`."""
    found: list[Atom] = []
    start = 0
    for end, rank in _breaks(text, language, tags):
        chunk = text[start:end]
        if speakable(chunk):
            found.extend(_within(text, Atom(start, end, rank), weights, room))
        elif found and (end == len(text) or not _opens(chunk)):
            last = found.pop()
            found.append(Atom(last.start, end, max(rank, last.rank)))
        else:
            continue
        start = end
    return found


def _opens(chunk: str) -> bool:
    """Whether marks without a word belong to what follows: an opening quote, a dash, a bullet."""
    return all(char in _OPENERS or unicodedata.category(char) in ("Ps", "Pi") for char in chunk)


def _breaks(text: str, language: str, tags: Collection[str]) -> Iterator[tuple[int, Rank]]:
    """Each offset at which the text may be cut, rising, with its rank. The text's end is the last."""
    ranks = {offset + 1: _space(text, offset) for offset in _spaces(text)}
    ranks |= dict.fromkeys(phrase_starts(text, language), Rank.PHRASE)
    ranks |= {found.end(): Rank.CLAUSE for found in _CLAUSE.finditer(text) if not _in_number(text, found.end())}
    for end in boundaries(text, language):
        ranks[end + 1 if text[end] == " " else end] = Rank.SENTENCE
    for found in _DIGIT_GROUPS.finditer(text):
        ranks.pop(found.end(), None)
    for tag in tags:
        for found in re.finditer(re.escape(tag), text, re.IGNORECASE):
            for inside in range(found.start() + 1, found.end()):
                ranks.pop(inside, None)
    ranks[len(text)] = Rank.SENTENCE
    return iter(sorted(ranks.items()))


def _spaces(text: str) -> Iterator[int]:
    return (found.start() for found in re.finditer(" ", text))


def _space(text: str, at: int) -> Rank:
    """In scripts without spaces a space parts phrases."""
    return Rank.CLAUSE if unspaced(text[at - 1]) and unspaced(text[at + 1]) else Rank.SPACE


def _in_number(text: str, at: int) -> bool:
    return 1 < at < len(text) and text[at].isdigit() and text[at - 2].isdigit()


def _within(text: str, atom: Atom, weights: Weights, room: int) -> Iterator[Atom]:
    """The atom itself, or what it is cut into where it is too long to be spoken in one."""
    start = atom.start
    anywhere = weights.of(start, atom.end) > 2 * room
    while weights.of(start, atom.end) > room:
        end = _forced(text, start, atom.end, weights, room, anywhere)
        if end is None:
            break
        yield Atom(start, end, Rank.FORCED)
        start = end
    yield Atom(start, atom.end, atom.rank)


def _forced(text: str, start: int, end: int, weights: Weights, room: int, anywhere: bool) -> int | None:
    """Where to cut an atom longer than `room`: even parts, each beginning with a letter or digit."""
    weight = weights.of(start, end)
    even = weight // -(-weight // room)
    low, middle, high = (weights.reach(start, share) for share in (even // 2, even, room))
    order = [*range(middle, low, -1), *range(middle + 1, high + LONGEST_RUN + 2)]
    open_to = [at for at in order if start < at < end and text[at].isalnum()]
    cuts = [at for at in open_to if spaceless(text, at)]
    if not cuts and anywhere:
        cuts = [at for at in open_to if breakable(text, at)] or open_to
    return next((at for at in cuts if speakable(text[start:at])), None)
