"""The way of a line's pieces from the deck's thread to whoever reads them, on whichever event loop that is."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from models.engine import Piece


class Reader:
    """One line's. `put` is called on the deck's thread, `take` on the loop that made it."""

    def __init__(self, rate: int, taken: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._pieces: deque[Piece] = deque()
        self._rate = rate
        self._notify = taken
        # Each is written by one side only, so that neither needs a lock.
        self._put = 0
        self._taken = 0

    @property
    def unread(self) -> float:
        """Seconds of sound that nobody has taken yet."""
        return (self._put - self._taken) / self._rate

    def put(self, piece: Piece) -> None:
        self._put += len(piece.samples)
        self._pieces.append(piece)
        with suppress(RuntimeError):  # The loop is closed: nobody reads any more, and the line is let go by others.
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self) -> Piece:
        while not self._pieces:
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._taken += len(piece.samples)
        self._notify()
        return piece
