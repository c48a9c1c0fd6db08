import asyncio
import os
from pathlib import Path

import pytest

from basics.heartbeat import EVERY, STALE, alive, beat


class Pause:
    """A sleep that ends only when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.reached = asyncio.Event()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.reached.set()
        await self.over.wait()
        self.over.clear()


async def test_a_beating_worker_is_alive_and_an_ended_one_is_not(tmp_path: Path):
    file, pause = tmp_path / "beat", Pause()
    task = asyncio.create_task(beat(file, pause))
    await pause.reached.wait()
    assert alive(file)
    assert pause.asked == [EVERY]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(file)


async def test_each_beat_touches_the_file_again(tmp_path: Path):
    file, pause = tmp_path / "beat", Pause()
    task = asyncio.create_task(beat(file, pause))
    await pause.reached.wait()
    os.utime(file, (0, 0))
    pause.reached.clear()
    pause.over.set()
    await pause.reached.wait()
    assert alive(file)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("age", "living"), [(0, True), (STALE, True), (STALE + 1, False)])
def test_a_loop_that_stopped_touching_counts_as_hung_after_a_minute(tmp_path: Path, age: float, living: bool):
    file = tmp_path / "beat"
    file.touch()
    assert alive(file, now=file.stat().st_mtime + age) is living


async def test_a_place_that_cannot_be_written_does_not_end_the_worker(tmp_path: Path):
    pause = Pause()
    task = asyncio.create_task(beat(tmp_path / "absent" / "beat", pause))
    await pause.reached.wait()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
