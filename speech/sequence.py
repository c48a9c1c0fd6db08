"""An order's lines, spoken in order: the next ones are already under way while the first is being heard.

Knows the resident and its listener, and nothing of what becomes of the sound.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable

from models.engine import Line, Piece
from speech.ahead import Ahead

Speak = Callable[[Line], AsyncGenerator[Piece, None]]

UNREAD_SAMPLES = float("inf")
"""A line is bounded by its own length; what runs ahead is bounded by how many lines are open."""


async def spoken(lines: Iterable[Line], speak: Speak, width: int) -> AsyncGenerator[tuple[int, Piece], None]:
    """Pieces with the index of their line, at most `width` lines open at once."""
    rest = enumerate(lines)
    open_lines: deque[tuple[int, Ahead[Piece]]] = deque()
    try:
        while True:
            while len(open_lines) < width and (following := next(rest, None)) is not None:
                index, line = following
                open_lines.append((index, Ahead(speak(line), UNREAD_SAMPLES, lambda piece: len(piece.samples))))
            if not open_lines:
                return
            index, sound = open_lines[0]
            pieces = await sound.take()
            for piece in pieces:
                yield index, piece
            if not pieces:
                open_lines.popleft()
    finally:
        await asyncio.gather(*(sound.close() for _, sound in open_lines))
