import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from basics.errors import Failure
from models.engine import Line, Options, Piece
from speech.sequence import spoken


def line(id: str) -> Line:
    return Line(id, id, "en", {}, Options(), seed=0)


async def each(ids: str) -> AsyncGenerator[Line, None]:
    for id in ids:
        yield line(id)


class Recorder:
    """Speaks each line in two pieces and keeps count of who is open."""

    def __init__(self, fails: str = "") -> None:
        self.open: set[str] = set()
        self.most = 0
        self.started: list[str] = []
        self._fails = fails

    async def speak(self, line: Line) -> AsyncGenerator[Piece, None]:
        self.open.add(line.id)
        self.started.append(line.id)
        self.most = max(self.most, len(self.open))
        try:
            for number in range(2):
                await asyncio.sleep(0)
                if line.id == self._fails and number == 1:
                    raise Failure("internal", "broke")
                yield Piece(line.id, np.full(10, number, np.float32), last=number == 1)
        finally:
            self.open.discard(line.id)


async def test_lines_are_heard_in_order_however_they_were_made() -> None:
    recorder = Recorder()
    heard = [(index, piece.last) async for index, piece in spoken(each("abcd"), recorder.speak, 3)]
    assert heard == [(index, last) for index in range(4) for last in (False, True)]


async def test_no_more_lines_are_open_than_allowed() -> None:
    recorder = Recorder()
    async for _ in spoken(each("abcdefgh"), recorder.speak, 3):
        pass
    assert recorder.most == 3
    assert not recorder.open


async def test_leaving_early_closes_every_open_line() -> None:
    recorder = Recorder()
    sound = spoken(each("abcd"), recorder.speak, 3)
    await anext(sound)
    await sound.aclose()
    assert not recorder.open
    assert "d" not in recorder.started


async def test_a_line_that_fails_ends_the_sound_after_what_came_before_it() -> None:
    recorder = Recorder(fails="b")
    heard: list[int] = []

    async def hear() -> None:
        async for index, _ in spoken(each("abc"), recorder.speak, 3):
            heard.append(index)

    with pytest.raises(Failure, match="broke"):
        await hear()
    assert heard == [0, 0, 1]
    assert not recorder.open
