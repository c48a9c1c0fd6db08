"""A script: what is to be said, in order, as passages. Text or turns go in, markup comes out of it.

A passage is text without markup, said by one voice without a pause asked for inside. Silence asked for is kept
to the sample: before a passage in `pause`, behind the last one in `Script.after`. Nothing here knows how long
an engine's lines are, what a voice is, or where sentences end.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from speech.characters import check, nothing_to_say, speakable, spoken
from speech.markup import LONGEST_PAUSE_SECONDS, Dropped, Pause, Words, bad_markup, tokens
from speech.ssml import is_ssml, refuse

_LINE_END = re.compile(r"\r\n|[\r\x85\u2028]")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*|\u2029\s*")
_CLOSES = frozenset(".,;:!?…)]}»”’'\"。、，！？；：）」』】")


@dataclass(frozen=True, slots=True)
class Part:
    """What one voice is asked to say: the whole text, or one turn. Voice and params are carried, never read."""

    text: str
    voice: Any = None
    pause: float | None = None
    """Seconds of silence asked for before it."""
    language: str = ""
    speed: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    turn: int | None = None
    """Which turn it is, from 0; none where the request has one text."""

    @property
    def field(self) -> str:
        return "text" if self.turn is None else f"turns[{self.turn}].text"


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    """Canonical: composed, every white space one space; it always holds a letter or digit."""
    pause: float | None = None
    """Seconds of silence asked for before it; none where punctuation decides."""
    paragraph: bool = False
    """Whether a blank line stood before it."""
    voice: Any = None
    language: str = ""
    speed: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    passages: tuple[Passage, ...]
    after: float = 0.0
    """Seconds of silence asked for behind the last passage."""
    warnings: tuple[str, ...] = ()


def script(parts: Sequence[Part], tags: Collection[str] = (), known_tags: Collection[str] = ()) -> Script:
    """`tags` are those that the model reads, `known_tags` those of every model: what only others know is dropped."""
    writer = _Writer()
    for part in parts:
        check(part.text, part.field)
        if is_ssml(part.text):
            refuse(part.text, part.field)
        writer.write(part, tags, known_tags)
    return Script(writer.passages(), writer.silence or 0.0, tuple(writer.warnings))


class _Writer:
    """Gathers pieces of text until a pause or a blank line closes the passage."""

    def __init__(self) -> None:
        self.silence: float | None = None
        self.warnings: dict[str, None] = {}
        self._drafts: list[tuple[list[str], Passage]] = []
        self._pieces: list[str] = []
        self._paragraph = False

    def passages(self) -> tuple[Passage, ...]:
        return tuple(replace(passage, text=spoken("".join(pieces))) for pieces, passage in self._drafts)

    def write(self, part: Part, tags: Collection[str], known_tags: Collection[str]) -> None:
        first = len(self._drafts)
        self._paragraph = False
        if part.pause is not None:
            self._hush(Pause(part.pause, 0), part)
        for token in tokens(part.text, part.field, tags, known_tags):
            match token:
                case Words():
                    self._say(token.text, part, first)
                case Dropped():
                    self.warnings[f"`{token.tag}` is a tag that this model does not read; it was left out."] = None
                    self._leave_out(part.text, token)
                case Pause():
                    self._close(part, first)
                    self._hush(token, part)
        self._close(part, first)
        if len(self._drafts) == first:
            raise nothing_to_say(part.field)

    def _say(self, text: str, part: Part, first: int) -> None:
        head, *paragraphs = _BLANK_LINE.split(_LINE_END.sub("\n", text))
        self._pieces.append(head)
        for paragraph in paragraphs:
            self._close(part, first)
            self._paragraph = True
            self._pieces.append(f"\n{paragraph}")

    def _leave_out(self, text: str, dropped: Dropped) -> None:
        """A space in the tag's place, but none before a comma."""
        end = dropped.position + len(dropped.tag)
        if end < len(text) and text[end] not in _CLOSES:
            self._pieces.append(" ")

    def _hush(self, pause: Pause, part: Part) -> None:
        self.silence = (self.silence or 0.0) + pause.seconds
        if self.silence > LONGEST_PAUSE_SECONDS + 1e-9:
            message = f"Pauses in one place add up to at most {LONGEST_PAUSE_SECONDS:g} seconds"
            raise bad_markup(message, part.field, pause.position)

    def _close(self, part: Part, first: int) -> None:
        """What has no letter joins the passage before it, of the same part, else the one that follows."""
        if any(map(speakable, self._pieces)):
            passage = Passage(
                "", self.silence, self._paragraph, part.voice, part.language, part.speed, part.params, part.turn
            )
            self._drafts.append((self._pieces, passage))
            self.silence, self._paragraph = None, False
        elif len(self._drafts) > first:
            self._drafts[-1][0].extend(self._pieces)
        else:
            return
        self._pieces = []
