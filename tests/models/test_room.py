"""A deck whose memory is full: fewer rows, and more again later."""

import pytest

from basics.errors import Failure
from models.runner import REGROWN_SECONDS
from tests.models.rehearsal import Stage, line


@pytest.mark.parametrize("fault", [Failure("out_of_memory", "The card is full."), MemoryError()])
def test_full_memory_shrinks_the_room_and_every_line_is_still_heard(fault: Exception) -> None:
    stage = Stage()
    ears = [stage.ear("file") for _ in range(8)]
    for number, ear in enumerate(ears):
        stage.speaks(ear, line(str(number), 1.0))
    stage.breaks["run"].append(fault)
    stage.until_idle()
    assert all(ear.ended == 1 and not ear.errors for ear in ears)
    assert stage.runner.numbers.room == stage.runner.numbers.rows == 4
    assert stage.full == 0


def test_memory_that_stays_full_ends_the_turn_and_is_reported() -> None:
    stage = Stage()
    ears = [stage.ear("file") for _ in range(2)]
    for number, ear in enumerate(ears):
        stage.speaks(ear, line(str(number), 1.0))
    stage.breaks["run"].extend([MemoryError(), MemoryError()])
    stage.until_idle()
    assert stage.full == 1
    assert [[error.code for error in ear.errors] for ear in ears] == [["out_of_memory"], []]


def shrunk_stage() -> Stage:
    """To four of eight rows and places, by a card that was full once."""
    stage = Stage()
    ears = [stage.ear("file") for _ in range(8)]
    for number, ear in enumerate(ears):
        stage.speaks(ear, line(f"first{number}", 1.0))
    stage.breaks["run"].append(MemoryError())
    stage.until_idle()
    assert (stage.runner.numbers.rows, stage.runner.numbers.room) == (4, 4)
    return stage


def test_room_grows_back_slowly_and_not_beyond_what_it_was() -> None:
    stage = shrunk_stage()
    stage.runner.step()
    assert stage.runner.numbers.rows == 4
    seen = []
    for _ in range(4):
        stage.clock.turn(REGROWN_SECONDS)
        stage.runner.step()
        seen.append((stage.runner.numbers.rows, stage.runner.numbers.room))
    assert seen == [(6, 6), (8, 8), (8, 8), (8, 8)]


def test_memory_that_fills_again_shrinks_the_room_again_and_its_minutes_begin_anew() -> None:
    stage = shrunk_stage()
    stage.clock.turn(REGROWN_SECONDS)
    ears = [stage.ear("file") for _ in range(6)]
    for number, ear in enumerate(ears):
        stage.speaks(ear, line(f"second{number}", 1.0))
    stage.breaks["run"].append(MemoryError())
    stage.until_idle()
    assert all(ear.ended == 1 and not ear.errors for ear in ears)
    assert stage.runner.numbers.rows == 3
    stage.clock.turn(REGROWN_SECONDS / 2)
    stage.runner.step()
    assert stage.runner.numbers.rows == 3


def test_a_deck_opened_anew_keeps_the_room_that_fits() -> None:
    stage = shrunk_stage()
    stage.runner.reopen(RuntimeError())
    assert stage.runner.numbers.room == 4
