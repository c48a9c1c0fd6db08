"""When each word of a text is said, by a recogniser's words and times for the same recording, heard a little otherwise.

Words that both have lie where they were heard; between those, a text's own words share the time that is left. What
the text has before the first and after the last common word was said elsewhere in the recording, or is guessed to be
where the recogniser heard something. Pure computing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from basics.events import Word

Timed = tuple[str, float, float]
"""A word, and from when to when."""


def aligned(text: str, heard: Sequence[Word]) -> tuple[Word, ...]:
    """In order; empty where hardly anything agrees."""
    said = text.split()
    matcher = SequenceMatcher(
        None, [_bare(word) for word in said], [_bare(word.text) for word in heard], autojunk=False
    )
    blocks = matcher.get_opcodes()
    agree = sum(last - first for kind, first, last, _, _ in blocks if kind == "equal")
    if not heard or agree < len(heard) / 2:
        return ()
    return tuple(word for block in blocks for word in _placed(said, heard, *block))


def retimed(text: str, words: Sequence[Timed]) -> tuple[Timed, ...]:
    """An edited transcript's words, where those of the old one lay."""
    return kept(aligned(text, [Word(*word) for word in words]))


def kept(words: Iterable[Word]) -> tuple[Timed, ...]:
    """As a record has them."""
    return tuple((word.text, round(max(0.0, word.start), 3), round(max(0.0, word.end), 3)) for word in words)


def _placed(said: Sequence[str], heard: Sequence[Word], kind: str, *at: int) -> Iterator[Word]:
    """One block of the comparison: `at` is where it begins and ends in the one and in the other."""
    texts, (first, last) = said[at[0] : at[1]], at[2:]
    if kind == "equal":
        for text, word in zip(texts, heard[first:last], strict=True):
            yield Word(text, word.start, word.end)
    elif kind == "replace" or (kind == "delete" and 0 < first < len(heard)):
        start = heard[first].start if first < last else heard[first - 1].end
        end = heard[last - 1].end if first < last else heard[first].start
        each = max(0.0, end - start) / len(texts)
        for number, text in enumerate(texts):
            yield Word(text, start + number * each, start + (number + 1) * each)


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word.casefold()) or word
