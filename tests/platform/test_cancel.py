"""A cancelled job lets go of everything at once, wherever the cancel finds it."""

import pytest

from tests.platform.control_plane import ControlPlane
from tests.platform.worker import Worker

pytestmark = pytest.mark.slow


def test_a_running_job_is_closed_and_not_answered(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    [id] = shared_plane.submit({"do": "wait"})
    shared_plane.until(lambda: bool(shared_plane.records[id].stream))
    shared_plane.cancel(id)
    shared_worker.told("closed", id)
    assert '"outcome": "cancelled"' in shared_worker.heard(f'"{id}", "message": "job"')
    assert shared_plane.of("done", id) == []


def test_a_job_is_closed_at_once_while_the_sdk_posts(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    """No other job comes and no post ends: only the callback on the job's task can have closed the road."""
    with shared_plane.slow("stream"):
        [id] = shared_plane.submit({"do": "stream", "bytes": 10, "chunks": 2})
        shared_plane.until_posting("stream", id)
        shared_plane.cancel(id)
        shared_worker.told("closed", id)
    assert shared_plane.of("done", id) == []


def test_a_queued_job_is_never_handed_out() -> None:
    with ControlPlane() as plane:
        first, second = plane.submit({"do": "file"}, {"do": "file"})
        plane.cancel(first)
        with Worker(plane) as worker:
            assert plane.wait(second)[0].status == "COMPLETED"
            assert not any(first in line for line in worker.lines)
        assert plane.records[first].status == "CANCELLED"


def test_the_next_job_runs_as_if_nothing_had_been(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    [id] = shared_plane.submit({"do": "wait"})
    shared_worker.told("begun", id)
    shared_plane.cancel(id)
    shared_worker.told("closed", id)
    assert shared_plane.wait(*shared_plane.submit({"do": "file"}))[0].status == "COMPLETED"


def test_three_jobs_go_on_when_a_fourth_is_cancelled(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    with shared_plane.slow("stream"):
        ids = shared_plane.submit(*[{"do": "stream", "bytes": 10, "chunks": 2}] * 4)
        for id in ids:
            shared_plane.until_posting("stream", id)
        shared_plane.cancel(ids[1])
        shared_worker.told("closed", ids[1])
    others = shared_plane.wait(ids[0], ids[2], ids[3])
    assert [len(job.stream) for job in others] == [4, 4, 4]
