"""A line that would not end is spoken once more with another seed, as long as nobody heard any of it.

A file's lines are held until they have ended, so that theirs can always be tried again; a stream's only where the
runaway is known before its first sound. A live line's text has gone by.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from models.engine import Line, Piece
from models.runner import Runaway

Speak = Callable[[Line], AsyncGenerator[Piece, None]]

ATTEMPTS = 2
ANOTHER = 0x2545F4914F6CDD1D
"""Added to a seed for the next attempt."""


class Attempts:
    """Of an order's lines; `of` tells how many each took."""

    def __init__(self, speak: Speak, *, held: bool) -> None:
        self._speak = speak
        self._held = held
        self._taken: dict[str, int] = {}

    def of(self, line: str) -> int:
        return self._taken.get(line, 1)

    async def speak(self, line: Line) -> AsyncGenerator[Piece, None]:
        for attempt in range(ATTEMPTS):
            self._taken[line.id] = attempt + 1
            heard = False
            try:
                async with aclosing(self._attempt(line, attempt)) as pieces:
                    async for piece in pieces:
                        heard = True
                        yield piece
                return
            except Runaway:
                if heard or line.live or attempt + 1 == ATTEMPTS:
                    raise

    async def _attempt(self, line: Line, attempt: int) -> AsyncGenerator[Piece, None]:
        if attempt:
            line = replace(line, id=f"{line.id}/{attempt + 1}", seed=(line.seed + attempt * ANOTHER) % 2**63)
        kept: list[Piece] = []
        async with aclosing(self._speak(line)) as pieces:
            async for piece in pieces:
                if self._held:
                    kept.append(piece)
                else:
                    yield piece
        for piece in kept:
            yield piece
