"""What stands in for a house that could not be opened."""

from basics.errors import Failure
from basics.events import Failed
from operations.job import Job
from operations.opening import refusing


async def test_each_job_is_answered_with_the_reason() -> None:
    failure = Failure("weights_missing", "The files are not here.")
    house = refusing(failure)
    for _ in range(2):
        assert [event async for event in house.answer(Job("1", {}))] == [Failed(failure)]
    await house.close()
