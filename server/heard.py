"""What was said when, as a stream tells it: where a stretch of text ends is known once the next begins. Put together
as they come, stretches are the text: each ends with a space, where its script has them.

Knows no dialect and no socket. Within a stretch characters are taken to be equally long.
"""

import re
from typing import Any

from basics.events import Audio
from operations.elevenlabs import Spoken
from speech.graphemes import unspaced

WORD = re.compile(r"\S+")


class Heard:
    """Of one utterance."""

    def __init__(self) -> None:
        self._last: Spoken | None = None
        self._end = 0.0

    def hear(self, event: Audio) -> Spoken | None:
        """The stretch that ended where this sound begins, if its text is a new one."""
        self._end = event.start + event.duration
        if not event.text:
            return None
        last, self._last = self._last, Spoken(event.text, event.start, self._end)
        if last is None:
            return None
        return Spoken(_spaced(last.text), last.start, event.start)

    def rest(self) -> Spoken | None:
        """The last one, once all was heard."""
        return None if self._last is None else Spoken(_spaced(self._last.text), self._last.start, self._end)


def words(stretch: Spoken | None) -> list[dict[str, Any]]:
    if stretch is None:
        return []
    step = max(0.0, stretch.end - stretch.start) / max(1, len(stretch.text))

    def at(place: int) -> float:
        return round(stretch.start + place * step, 3)

    return [{"text": word[0], "start": at(word.start()), "end": at(word.end())} for word in WORD.finditer(stretch.text)]


def _spaced(text: str) -> str:
    return text if unspaced(text[-1]) else f"{text} "
