"""Text as somebody writes it, piece by piece, becomes segments as soon as it is known where they end.

A sentence is complete once something follows it; the very first words go at a clause already. What is left waits
for more text or for `flush`. Knows no engine but its card, and no clock.
"""

import re
from collections.abc import Collection
from dataclasses import replace

from models.card import Card
from speech.breaks import Rank, Weights, atoms
from speech.characters import speakable
from speech.lines import FIRST_LINE_WORDS, words
from speech.plan import Segment, pause_after, plan
from speech.script import Part, script

SPACE = re.compile(r"\s")
PROBE = "Xylophones"
"""Stands for whatever will follow a space: `done. ` is complete, `Dr. ` is not."""


class Writing:
    def __init__(self, card: Card, part: Part, known_tags: Collection[str] = ()) -> None:
        """`part` says how it is spoken; its text is left aside."""
        self._card = card
        self._part = part
        self._known_tags = known_tags
        self._waiting = ""
        self._silence = 0.0
        self._last = ""
        self._count = 0
        self.chars = 0

    def write(self, text: str) -> list[Segment]:
        """The segments that are complete now."""
        self.chars += len(text)
        self._waiting += text
        end = self._complete()
        whole, self._waiting = self._waiting[:end], self._waiting[end:]
        return self._segments(whole)

    def flush(self) -> list[Segment]:
        """All that waits, complete or not. What comes next begins anew."""
        whole, self._waiting = self._waiting, ""
        return self._segments(whole)

    def _complete(self) -> int:
        """Up to where the text can be spoken whatever follows."""
        text = SPACE.sub(" ", self._waiting)
        probed = text + PROBE if text.endswith(" ") else text
        weights = Weights(probed)
        found = atoms(probed, self._language, self._card.tags, weights, self._card.fits(self._language))
        need = self._need(weights.of(0, len(text)))
        ends = [atom.end for atom in found[:-1] if atom.rank >= need or self._early(text[: atom.end], atom.rank)]
        paragraph = self._waiting.rfind("\n\n")
        return min(len(text), max([0, paragraph, *ends]))

    def _need(self, weight: int) -> Rank:
        """What must end a stretch: the longer nothing does, the less."""
        if weight <= self._card.fits(self._language):
            return Rank.SENTENCE
        return Rank.CLAUSE if weight <= 2 * self._card.fits(self._language) else Rank.SPACE

    def _early(self, text: str, rank: Rank) -> bool:
        return not self._count and rank >= Rank.CLAUSE and words(text) >= FIRST_LINE_WORDS

    def _segments(self, text: str) -> list[Segment]:
        if not speakable(text):
            self._waiting = text + self._waiting if text.strip() else self._waiting
            return []
        said = script([replace(self._part, text=text)], self._card.tags, self._known_tags)
        segments = list(plan(said.passages, self._card, stream=not self._count))
        if segments:
            segments[0] = replace(segments[0], pause=segments[0].pause + self._pause(segments[0].pause))
            self._last, self._silence = segments[-1].text, said.after
        numbered = [replace(segment, index=self._count + at) for at, segment in enumerate(segments)]
        self._count += len(segments)
        return numbered

    def _pause(self, asked: float) -> float:
        """Before the first of new segments: what was asked for at the end before, else as the last mark says."""
        if self._silence or asked or not self._last:
            return self._silence
        return pause_after(self._last, Rank.SENTENCE) / self._part.speed

    @property
    def _language(self) -> str:
        return self._part.language or self._card.languages[0]
