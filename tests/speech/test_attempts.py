from collections.abc import AsyncGenerator

import numpy as np
import pytest

from models.engine import Line, Options, Piece
from models.runner import Runaway
from speech.attempts import Attempts

LINE = Line("a", "Hello.", "en", {}, Options(), seed=5)


class Unruly:
    """Runs away in its first attempts, after so many pieces of sound."""

    def __init__(self, times: int, pieces: int) -> None:
        self.lines: list[Line] = []
        self._times, self._pieces = times, pieces

    async def speak(self, line: Line) -> AsyncGenerator[Piece, None]:
        self.lines.append(line)
        runs_away = len(self.lines) <= self._times
        for number in range(self._pieces):
            yield Piece(
                line.id, np.full(2, line.seed % 97, np.float32), last=not runs_away and number == self._pieces - 1
            )
        if runs_away:
            raise Runaway(1.0)


async def heard(attempts: Attempts) -> list[Piece]:
    return [piece async for piece in attempts.speak(LINE)]


async def test_a_files_runaway_line_is_spoken_again_with_another_seed() -> None:
    unruly = Unruly(times=1, pieces=3)
    attempts = Attempts(unruly.speak, held=True)
    pieces = await heard(attempts)
    first, second = unruly.lines
    assert first.seed == 5
    assert second.seed != 5
    assert first.id != second.id
    assert {float(piece.samples[0]) for piece in pieces} == {second.seed % 97}
    assert [piece.last for piece in pieces] == [False, False, True]
    assert attempts.of("a") == 2


async def test_the_second_runaway_ends_the_line() -> None:
    unruly = Unruly(times=2, pieces=1)
    with pytest.raises(Runaway):
        await heard(Attempts(unruly.speak, held=True))
    assert len(unruly.lines) == 2


async def test_a_streams_line_that_was_heard_is_not_begun_again() -> None:
    unruly = Unruly(times=1, pieces=1)
    with pytest.raises(Runaway):
        await heard(Attempts(unruly.speak, held=False))
    assert len(unruly.lines) == 1


async def test_a_streams_line_of_which_nothing_was_heard_is() -> None:
    unruly = Unruly(times=1, pieces=0)
    attempts = Attempts(unruly.speak, held=False)
    assert await heard(attempts) == []
    assert attempts.of("a") == 2


async def test_a_good_line_takes_one_attempt() -> None:
    unruly = Unruly(times=0, pieces=2)
    attempts = Attempts(unruly.speak, held=False)
    assert len(await heard(attempts)) == 2
    assert (unruly.lines[0].id, attempts.of("a")) == ("a", 1)
