"""Text on its way to a line that is being spoken already: live speech, as a language model writes it.

    feed = Feed()
    pieces = resident.speak(line, listener, feed)    # the line's own text may be empty
    await feed.put("Good evening, ")                 # from one task, on any event loop, while another reads `pieces`
    feed.finish()                                    # no more will come: the line ends when all of it is spoken

`put` waits while much lies unread, so whoever writes is no faster than the voice by more than a little. When the line
ends otherwise (its reader closes it, is cancelled, or the line fails) `put` raises `cancelled`. Knows no deck.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from basics.errors import Failure

MOST_CHARS = 2000
"""Of text that the line has not taken yet, unless told otherwise."""


def _nobody() -> None:
    """No line has been bound to it yet."""


class Feed:
    """One line's. One task puts; the deck's thread takes."""

    def __init__(self, most_chars: int = MOST_CHARS) -> None:
        self._most = most_chars
        self._lock = threading.Lock()
        self._text = ""
        self._finished = self._told = self._ended = False
        self._notify: Callable[[], None] = _nobody
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def put(self, text: str) -> None:
        """Returns when the text is on its way. Pieces are joined as they are: spaces between words are the writer's."""
        if len(text) > self._most:
            raise Failure(
                "text_too_long",
                f"A piece of live text has {len(text)} characters of {self._most} at most; send it in several.",
                field="text",
            )
        while (room := self._accept(text)) is not None:
            await room.wait()
        self._notify()

    def finish(self) -> None:
        """From any thread. Idempotent."""
        with self._lock:
            self._finished = True
        self._notify()

    # The line's side

    def bind(self, notify: Callable[[], None]) -> None:
        """`notify` is told of each news, on whichever thread they come from."""
        self._notify = notify

    @property
    def waits(self) -> bool:
        """Whether there is something to take."""
        return bool(self._text) or (self._finished and not self._told)

    def take(self) -> tuple[str, bool]:
        """All that has come, and whether it was the last."""
        with self._lock:
            text, self._text = self._text, ""
            self._told = self._finished
            self._wake()
            return text, self._told

    def end(self) -> None:
        """From any thread: nobody takes any more. Whoever waits in `put` is told."""
        with self._lock:
            self._ended, self._text = True, ""
            self._wake()

    def _accept(self, text: str) -> asyncio.Event | None:
        """None when it was taken in, else what to wait for."""
        with self._lock:
            if self._ended:
                raise Failure("cancelled", "The line has ended and takes no more text.")
            if self._finished:
                raise Failure("invalid_input", "No text may follow the last.", field="text")
            if len(self._text) + len(text) <= self._most:
                self._text += text
                return None
            room = asyncio.Event()
            self._waiting = (asyncio.get_running_loop(), room)
            return room

    def _wake(self) -> None:
        if self._waiting is not None:
            (loop, room), self._waiting = self._waiting, None
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                loop.call_soon_threadsafe(room.set)
