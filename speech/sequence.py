"""An order's lines, spoken in order: the next ones are already under way while the first is being heard.

Knows the resident and its listener, and nothing of what becomes of the sound.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable

from models.engine import Line, Piece
from speech.ahead import Ahead

Speak = Callable[[Line], AsyncGenerator[Piece, None]]

UNREAD_SAMPLES = float("inf")
"""A line is bounded by its own length; what runs ahead is bounded by how many lines are open."""
LIVE_UNREAD_SAMPLES = 240_000
"""Five to fifteen seconds of a live line, which may grow for long: a slow listener holds its voice back."""


async def spoken(lines: AsyncIterable[Line], speak: Speak, width: int) -> AsyncGenerator[tuple[int, Piece], None]:
    """Pieces with the index of their line, at most `width` lines open at once."""
    opened: asyncio.Queue[Ahead[Piece] | None] = asyncio.Queue()
    room = asyncio.Semaphore(width)
    opening = asyncio.create_task(_open(lines, speak, room, opened))
    index, sound = 0, None
    try:
        while (sound := await opened.get()) is not None:
            while pieces := await sound.take():
                for piece in pieces:
                    yield index, piece
            index += 1
            room.release()
        await opening
    finally:
        opening.cancel()
        left = [sound, *(opened.get_nowait() for _ in range(opened.qsize()))]
        await asyncio.gather(opening, *(each.close() for each in left if each is not None), return_exceptions=True)


async def _open(
    lines: AsyncIterable[Line], speak: Speak, room: asyncio.Semaphore, opened: asyncio.Queue[Ahead[Piece] | None]
) -> None:
    try:
        async for line in lines:
            await room.acquire()
            unread = LIVE_UNREAD_SAMPLES if line.live else UNREAD_SAMPLES
            opened.put_nowait(Ahead(speak(line), unread, lambda piece: len(piece.samples)))
    finally:
        opened.put_nowait(None)
