"""The shift: what a worker holds, and when it leaves. Exit codes are collected instead of taken."""

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from basics.events import Done, Event
from operations.job import Job
from operations.queue import Talk
from operations.shift import Shift


class Left:
    """Stands where the process would end."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.happened = asyncio.Event()

    def __call__(self, code: int) -> None:
        self.codes.append(code)
        self.happened.set()


class Road:
    """A road that stands still at its first event and notices when it is closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            yield Done({})
        finally:
            await asyncio.sleep(0)
            self.closed.set()


async def held(shift: Shift, talk: Talk, job: Job, until: asyncio.Event) -> None:
    """What the SDK's task does: takes one event, and is then busy posting it."""
    shift.hold(job, talk)
    async for _ in talk.posts():
        await until.wait()


def begin(shift: Shift, job: Job, until: asyncio.Event) -> tuple["asyncio.Task[None]", Road]:
    road = Road()
    return asyncio.get_running_loop().create_task(held(shift, Talk(road.events()), job, until)), road


async def test_a_task_that_is_cancelled_while_posting_closes_the_road_and_sets_the_flag() -> None:
    job, shift = Job("1", {}), Shift(4, 5.0)
    task, road = begin(shift, job, asyncio.Event())
    await asyncio.sleep(0)
    task.cancel()
    await road.closed.wait()
    assert job.cancel.is_set()


async def test_it_leaves_only_when_its_job_is_over_and_closed() -> None:
    left, until = Left(), asyncio.Event()
    shift = Shift(4, 60.0, leave=left)
    _, road = begin(shift, Job("1", {}), until)
    await asyncio.sleep(0)
    shift.end()
    shift.end()
    assert left.codes == []
    until.set()
    await left.happened.wait()
    assert left.codes == [0]
    assert road.closed.is_set()


async def test_it_waits_for_what_the_sdk_has_taken_and_not_begun() -> None:
    left, taken = Left(), [1]
    looks: list[int] = []

    def count() -> int:
        looks.append(1)
        if len(looks) > 1:
            taken[0] = 0
        return taken[0]

    Shift(4, 60.0, taken=count, leave=left).end()
    await left.happened.wait()
    assert len(looks) == 2


async def test_what_is_not_done_in_time_is_cancelled_and_cleaned_up() -> None:
    left = Left()
    shift = Shift(4, 0.0, leave=left)
    task, road = begin(shift, Job("1", {}), asyncio.Event())
    await asyncio.sleep(0)
    shift.end()
    await left.happened.wait()
    assert task.cancelled()
    assert road.closed.is_set()
    assert left.codes == [1]


async def test_the_house_is_closed_before_leaving() -> None:
    left, closed = Left(), []

    async def close() -> None:
        closed.append(list(left.codes))

    Shift(4, 5.0, close=close, leave=left).end()
    await left.happened.wait()
    assert closed == [[]]


async def test_a_hopeless_worker_leaves_after_its_jobs() -> None:
    left, until = Left(), asyncio.Event()
    until.set()
    shift = Shift(4, 5.0, patience=(2, 3600.0), leave=left)
    for id in "12":
        task, _ = begin(shift, Job(id, {}), until)
        await task
    await left.happened.wait()
    assert left.codes == [1]


async def test_a_hopeless_worker_leaves_after_its_time() -> None:
    left = Left()
    Shift(4, 5.0, patience=(3, 0.0), leave=left).places(1)
    await left.happened.wait()
    assert left.codes == [1]


async def test_the_number_of_places_is_constant_until_it_leaves() -> None:
    left = Left()
    shift = Shift(6, 5.0, leave=left)
    assert [shift.places(1), shift.places(6), shift.places(6)] == [6, 6, 6]
    shift.end()
    assert shift.places(6) != 6
    await left.happened.wait()


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ({"text": "private words"}, "speak"),
        ({"op": "voices.list"}, "voices.list"),
        ({"op": "My private words"}, "unknown"),
    ],
)
async def test_its_line_about_a_job_names_the_operation_and_nothing_that_was_written(
    given: dict[str, str], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    until = asyncio.Event()
    until.set()
    with caplog.at_level(logging.INFO, "worker"):
        task, _ = begin(Shift(4, 5.0), Job("1", given), until)
        await task
        await asyncio.sleep(0)
    [record] = [record for record in caplog.records if record.message == "job"]
    assert vars(record)["op"] == logged
    assert "private" not in str(vars(record))
