"""How a worker starts when something is wrong, and how it leaves."""

import base64
import json
from pathlib import Path

import pytest

from tests.platform.control_plane import ControlPlane
from tests.platform.worker import Worker

pytestmark = pytest.mark.slow


def code_of(error: str | None) -> str:
    return str(json.loads(error or "{}").get("code"))


def test_an_idle_worker_leaves_although_its_poll_is_open(plane: ControlPlane) -> None:
    with Worker(plane) as worker:
        plane.until(lambda: bool(plane.of("take-batch")))
        worker.terminate()
        assert worker.ended() == 0
        worker.heard("house closed")


def test_a_job_in_flight_is_finished_before_the_worker_leaves(plane: ControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "go"
    with Worker(plane) as worker:
        [id] = plane.submit({"do": "until", "file": str(file)})
        worker.told("begun", id)
        worker.terminate()
        worker.heard("leaving")
        file.touch()
        assert plane.wait(id)[0].status == "COMPLETED"
        assert worker.ended() == 0


def test_a_job_that_takes_too_long_is_left_unanswered_for_another_worker(plane: ControlPlane) -> None:
    with Worker(plane, SHUTDOWN_SECONDS="0.5") as worker:
        [id] = plane.submit({"do": "wait"})
        plane.until(lambda: bool(plane.records[id].stream))
        worker.terminate()
        assert worker.ended() == 1
        worker.told("closed", id)
        worker.heard("left_unfinished")
    assert plane.of("done", id) == []
    assert plane.records[id].status == "IN_PROGRESS"


def test_a_job_that_the_open_poll_brings_while_leaving_is_answered(plane: ControlPlane, tmp_path: Path) -> None:
    file = tmp_path / "go"
    with Worker(plane) as worker:
        [first] = plane.submit({"do": "until", "file": str(file)})
        worker.told("begun", first)
        plane.until(lambda: len(plane.of("take-batch")) > 1)
        worker.terminate()
        worker.heard("leaving")
        [second] = plane.submit({"do": "file"})
        assert plane.wait(second)[0].status == "COMPLETED"
        file.touch()
        assert plane.wait(first)[0].status == "COMPLETED"
        assert worker.ended() == 0


def test_the_sdk_without_our_door_loses_such_a_job(plane: ControlPlane) -> None:
    """Documents 1.12.0: after SIGTERM it lets its poll run on for up to 90 s, and runs nothing that it brings."""
    with Worker(plane, "--alone") as worker:
        plane.until(lambda: bool(plane.of("take-batch")))
        worker.terminate()
        worker.heard("nobody runs jobs")
        [id] = plane.submit({"do": "file"})
        plane.until_running(id)
        plane.end_polls()
        assert worker.ended() == 0
        assert not any("begun" in line for line in worker.lines)
    assert plane.records[id].status == "IN_PROGRESS"


def test_a_start_that_no_other_host_helps_answers_each_job_with_the_reason(plane: ControlPlane) -> None:
    with Worker(plane, FAKE_START="weights_missing"):
        for _ in range(4):
            job = plane.wait(*plane.submit({"do": "file"}))[0]
            assert (job.status, code_of(job.error)) == ("FAILED", "weights_missing")


def test_a_start_that_another_host_may_help_ends_the_worker_after_three_jobs(plane: ControlPlane) -> None:
    with Worker(plane, FAKE_START="out_of_memory") as worker:
        jobs = plane.wait(*plane.submit({"do": "file"}, {"do": "file"}, {"do": "file"}))
        assert [code_of(job.error) for job in jobs] == ["out_of_memory"] * 3
        assert worker.ended() == 1


def test_wrong_settings_are_told_to_each_job(plane: ControlPlane) -> None:
    with Worker(plane, MAX_BATCH="none"):
        job = plane.wait(*plane.submit({"do": "file"}))[0]
    assert code_of(job.error) == "misconfigured"
    assert "MAX_BATCH" in str(job.error)


def test_under_an_sdk_that_was_not_tested_answers_come_as_one_plain_list(plane: ControlPlane) -> None:
    with Worker(plane, "--as-sdk", "9.9.9") as worker:
        assert "9.9.9" in worker.heard("sdk_not_tested")
        file, stream, failed, huge = plane.wait(
            *plane.submit(
                {"do": "file", "bytes": 6_500_000},
                {"do": "stream", "bytes": 900, "chunks": 2},
                {"do": "fail"},
                {"do": "stream", "bytes": 2_500_000, "chunks": 3},
            )
        )
    assert plane.of("stream") == []
    assert len(base64.b64decode(file.output[0]["audio"]["data"])) == 6_500_000
    assert [event["event"] for event in stream.output] == ["audio", "audio", "done"]
    assert code_of(failed.error) == "unknown_voice"
    assert code_of(huge.error) == "payload_too_large"


def test_a_job_is_cancelled_under_an_sdk_that_was_not_tested(plane: ControlPlane) -> None:
    with Worker(plane, "--as-sdk", "9.9.9") as worker:
        [id] = plane.submit({"do": "wait"})
        worker.told("begun", id)
        plane.cancel(id)
        worker.told("closed", id)
    assert plane.of("done", id) == []
