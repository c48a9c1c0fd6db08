"""Text as somebody writes it, piece by piece, becomes strokes: what may be spoken now, whatever follows.

A voice that takes text while it speaks gets each word as soon as it is whole. The others get sentences, which are
complete once something follows; their very first words go at a clause already. What is left waits for more text or
for `flush`. Knows no engine but its card, and no clock.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from models.card import Card
from speech.breaks import Rank, Weights, atoms
from speech.characters import speakable
from speech.graphemes import breakable, spaceless
from speech.lines import FIRST_LINE_WORDS, words
from speech.markup import Words, tokens
from speech.plan import PARAGRAPH_SECONDS, SENTENCE_SECONDS, Segment, pause_after, plan
from speech.ramp import Ramp
from speech.script import Part, Passage, script

SPACE = re.compile(r"\s")
HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
PROBE = "Xylophones"
"""Stands for whatever will follow a space: `done. ` is complete, `Dr. ` is not."""
LONGEST_MARK = 120
"""Characters that an open bracket may hold back: it may become a pause or a tag."""
LONGEST_WORD = 200
"""Characters without a space that are held back: no script writes so long a word."""
LONG_SECONDS = 60.0
"""Of text in one line, from which on it ends with its sentence: what an engine remembers of a line grows with it."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """What is known of a line at once: all of it, or a part of one whose text is fed to the voice as it speaks."""

    segment: Segment
    """Of a part that does not open its line, only the text counts; it joins the one before as it is."""
    opens: bool = True
    closes: bool = True


class Writing:
    def __init__(self, card: Card, part: Part, known_tags: Collection[str] = (), ramp: Ramp | None = None) -> None:
        """`part` says how it is spoken; its text is left aside. `ramp` bounds lines as if text came in time."""
        self._card = card
        self._part = part
        self._known_tags = known_tags
        self._ramp = ramp
        self._waiting = ""
        self._silence = 0.0
        self._last = ""
        self._count = 0
        self._open: Segment | None = None
        self._seconds = 0.0
        self.chars = 0
        self.warnings: dict[str, None] = {}

    def write(self, text: str) -> list[Stroke]:
        """What may be spoken now."""
        self.chars += len(text)
        self._waiting = HALVES.sub(_whole, self._waiting + text)
        end = self._words() if self._card.live and self._seconds < LONG_SECONDS else self._sentences()
        known, self._waiting = self._waiting[:end], self._waiting[end:]
        return self._strokes(known)

    def flush(self) -> list[Stroke]:
        """All that waits, complete or not. What comes next begins anew."""
        rest, self._waiting = self._waiting, ""
        strokes = self._strokes(rest)
        return strokes if self._open is None else [*strokes, self._close()]

    def cut(self, text: str, *, flush: bool = False) -> str:
        """Instead of strokes: the sentences that are complete now as they were written, for who has them spoken
        elsewhere. Empty where there is nothing to say."""
        self.chars += len(text)
        self._waiting = HALVES.sub(_whole, self._waiting + text)
        end = len(self._waiting) if flush else self._sentences()
        known, self._waiting = self._waiting[:end], self._waiting[end:]
        if not self._says(known):
            self._waiting = known + self._waiting if known.strip() else self._waiting
            return ""
        self._count += 1
        return known

    # Where what is known ends

    def _words(self) -> int:
        """Behind the last whole word that is in no open bracket."""
        text = self._waiting
        end = next((at for at in range(len(text), 0, -1) if _parts(text, at)), 0)
        if not end and len(text) > LONGEST_WORD:
            end = next((at for at in range(len(text) - 1, 0, -1) if breakable(text, at)), len(text))
        for opener, closer in ("[]", "()") if any("(" in tag for tag in self._known_tags) else ("[]",):
            at = text.rfind(opener, 0, end)
            if at >= 0 and closer not in text[at:end] and len(text) - at <= LONGEST_MARK:
                end = at
        return len(text[:end].rstrip())

    def _sentences(self) -> int:
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

    # What is known, as strokes

    def _strokes(self, text: str) -> list[Stroke]:
        if not self._says(text):
            self._waiting = text + self._waiting if text.strip() else self._waiting
            return []
        said = script([replace(self._part, text=text)], self._card.tags, self._known_tags)
        self.warnings |= dict.fromkeys(said.warnings)
        strokes: list[Stroke] = []
        passage: Passage | None = None
        for segment in plan(said.passages, self._card, stream=not self._count, ramp=self._ramp):
            within = said.passages[segment.passage]
            new = within is not passage and (within.pause is not None or within.paragraph)
            if passage is None:
                new = new or self._silence > 0
                segment = replace(segment, pause=segment.pause + self._pause(segment.pause, within.paragraph))
            if self._open is not None and (new or self._long):
                strokes.append(self._close())
            spaced = within.text[: segment.start].endswith(" ") if within is passage else text[:1].isspace()
            strokes.append(self._stroke(segment, " " if spaced else ""))
            passage = within
        self._silence = said.after
        return strokes

    def _stroke(self, segment: Segment, space: str) -> Stroke:
        self._last = segment.text
        self._seconds += self._card.seconds(space + segment.text)
        if self._open is not None:
            return Stroke(replace(self._open, text=space + segment.text), opens=False, closes=False)
        opened = replace(segment, index=self._count)
        self._count += 1
        if self._card.live:
            self._open = opened
        return Stroke(opened, closes=not self._card.live)

    def _close(self) -> Stroke:
        assert self._open is not None
        ending, self._open, self._seconds = replace(self._open, text=""), None, 0.0
        return Stroke(ending, opens=False)

    @property
    def _long(self) -> bool:
        """At twice the length it ends at any word."""
        ended = pause_after(self._last, Rank.FORCED) >= SENTENCE_SECONDS
        return self._seconds > (LONG_SECONDS if ended else 2 * LONG_SECONDS)

    def _pause(self, asked: float, paragraph: bool) -> float:
        """Before a line: what was asked for at the end before, else as the last mark says."""
        if self._silence or asked or not self._last:
            return self._silence
        seconds = pause_after(self._last, Rank.SENTENCE)
        return max(seconds, PARAGRAPH_SECONDS if paragraph else 0.0) / self._part.speed

    def _says(self, text: str) -> bool:
        """Whether anything of it is spoken: pauses and dropped tags alone wait for words."""
        if not speakable(text):
            return False
        found = tokens(text, self._part.field, self._card.tags, self._known_tags)
        return any(isinstance(token, Words) and speakable(token.text) for token in found)

    @property
    def _language(self) -> str:
        return self._part.language or self._card.languages[0]


def _parts(text: str, at: int) -> bool:
    """Whether a word is whole at `at`, whatever is written next."""
    return text[at - 1].isspace() or (at < len(text) and (text[at].isspace() or spaceless(text, at)))


def _whole(halves: re.Match[str]) -> str:
    """A character whose halves came in two pieces, as they do from whoever counts in UTF-16."""
    return halves[0].encode("utf-16", "surrogatepass").decode("utf-16")
