"""Jobs through the SDK's own loop, seen from the control plane. Guards both tricks of `handler.TESTED`."""

import base64
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from basics.limits import ANSWER_BYTES, YIELD_BYTES
from handler import TESTED
from tests.platform.control_plane import ControlPlane, Record
from tests.platform.worker import Worker

pytestmark = pytest.mark.slow


def answered(plane: ControlPlane, **asked: object) -> Record:
    return plane.wait(*plane.submit(asked))[0]


def test_the_installed_sdk_is_one_that_was_tested() -> None:
    assert version("runpod") in TESTED


def test_a_job_is_answered_with_a_list_of_one_object(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="file", bytes=30)
    assert job.status == "COMPLETED"
    assert job.output == [
        {
            "event": "done",
            "audio": {"format": "wav", "bytes": 30, "data": base64.b64encode(bytes(30)).decode()},
            "s3": None,
        }
    ]


def test_a_large_file_arrives_whole_once_and_never_in_the_stream(
    shared_plane: ControlPlane, shared_worker: Worker
) -> None:
    job = answered(shared_plane, do="file", bytes=6_500_000)
    [done] = shared_plane.of("done", job.id)
    assert base64.b64decode(job.output[0]["audio"]["data"]) == bytes(6_500_000)
    assert done.bytes < ANSWER_BYTES
    assert done.status == 200
    assert [event["event"] for event in job.stream] == ["progress", "done"]
    assert sum(post.bytes for post in shared_plane.of("stream", job.id)) < 1_000


def test_a_file_that_the_platform_would_drop_is_refused(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="file", bytes=7_000_000)
    assert job.status == "FAILED"
    assert "payload_too_large" in str(job.error)
    assert [event["event"] for event in job.stream] == ["progress", "error"]


def test_a_stream_comes_in_order_under_the_limit_and_is_not_in_the_answer(
    shared_plane: ControlPlane, shared_worker: Worker
) -> None:
    job = answered(shared_plane, do="stream", bytes=1_200_000, chunks=3)
    sound = [event for event in job.stream if event["event"] == "audio"]
    assert [event["event"] for event in (job.stream[0], job.stream[-1])] == ["started", "done"]
    assert [event["seq"] for event in sound] == list(range(len(sound)))
    assert sum(len(base64.b64decode(event["data"])) for event in sound) == 3_600_000
    assert [event["text"] for event in sound if event["text"]] == ["part 0", "part 1", "part 2"]
    assert all(post.bytes <= YIELD_BYTES and post.status == 200 for post in shared_plane.of("stream", job.id))
    assert job.output == [{"event": "done", "audio": {"format": "wav", "bytes": 3_600_000}}]


def test_four_streams_at_once_keep_their_answers_apart(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    ids = shared_plane.submit(*({"do": "stream", "bytes": 90 + place, "chunks": 5} for place in range(4)))
    for place, job in enumerate(shared_plane.wait(*ids)):
        assert [event["event"] for event in job.stream] == ["started", *["audio"] * 5, "done"]
        assert job.output == [{"event": "done", "audio": {"format": "wav", "bytes": 5 * (90 + place)}}]


def test_four_jobs_are_taken_in_one_batch_and_run_side_by_side(
    shared_plane: ControlPlane, shared_worker: Worker, tmp_path: Path
) -> None:
    file = tmp_path / "go"
    ids = shared_plane.submit(*[{"do": "until", "file": str(file)}] * 4)
    for id in ids:
        shared_worker.told("begun", id)
    assert shared_plane.of("take-batch")
    file.touch()
    assert [job.status for job in shared_plane.wait(*ids)] == ["COMPLETED"] * 4


def test_an_error_is_an_event_and_then_a_json_string(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="fail")
    error = {"code": "unknown_voice", "message": "There is no voice `x`.", "field": "voice", "retryable": False}
    assert job.stream == [{"event": "error", **error}]
    assert (job.status, job.output) == ("FAILED", None)
    assert json.loads(str(job.error)) == error


def test_a_fault_of_ours_tells_the_caller_no_traceback(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="raise")
    assert '"internal"' in str(job.error)
    assert "secret" not in str(job.error)
    assert "RuntimeError" in shared_worker.heard("door_broke")
    assert "secret" not in shared_worker.heard("door_broke")


def test_what_json_cannot_carry_still_arrives(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="surrogate")
    assert job.output == [{"event": "done", "text": "a\\ud800b", "rate": None, "raw": "/w=="}]


def test_the_jobs_own_bucket_reaches_the_job(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    [id] = shared_plane.submit({"do": "file"}, s3Config={"bucketName": "b"})
    assert shared_plane.wait(id)[0].output[0]["s3"] == {"bucketName": "b"}


def test_each_job_has_one_line_in_the_log(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    job = answered(shared_plane, do="stream", bytes=10, chunks=2)
    shared_worker.heard(f'"{job.id}", "message": "job"')
    [line] = [json.loads(line) for line in shared_worker.lines if f'"{job.id}", "message": "job"' in line]
    assert line.pop("seconds") >= 0
    assert line == {
        "requestId": job.id, "message": "job", "level": "INFO",
        "op": "speak", "outcome": "done", "format": "wav", "bytes": 20,
    }  # fmt: skip


def test_slow_posts_change_nothing(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    with shared_plane.slow("stream"):
        [id] = shared_plane.submit({"do": "stream", "bytes": 10, "chunks": 2})
        shared_plane.until_posting("stream", id)
        [other] = shared_plane.submit({"do": "fail"})
        shared_plane.until_posting("stream", other)
    assert [job.status for job in shared_plane.wait(id, other)] == ["COMPLETED", "FAILED"]


def test_a_take_that_brings_nothing_is_asked_again(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    shared_plane.refuse_takes(204, 400, 500)
    shared_plane.end_polls()
    assert answered(shared_plane, do="file").status == "COMPLETED"


def test_the_sdk_posts_again_after_a_server_error(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    shared_plane.fail("stream", 503)
    job = answered(shared_plane, do="stream", bytes=10, chunks=1)
    assert [event["event"] for event in job.stream] == ["started", "audio", "done"]


def test_the_sdk_loses_a_chunk_whose_connection_drops_and_seq_shows_it(
    shared_plane: ControlPlane, shared_worker: Worker
) -> None:
    """Seen with 1.12.0 and aiohttp-retry 2.9.1: only statuses are tried again. The answer is not harmed."""
    shared_plane.drop("stream", times=2)
    job = answered(shared_plane, do="stream", bytes=10, chunks=3)
    assert [event.get("seq") for event in job.stream] == [1, 2, None]
    assert job.status == "COMPLETED"


def test_the_sdk_loses_an_answer_whose_connection_drops(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    """Likewise. The job runs into the platform's execution timeout."""
    shared_plane.drop("done")
    [id] = shared_plane.submit({"do": "file", "bytes": 10})
    shared_worker.heard(f'"{id}", "message": "Failed to return job results')
    assert shared_plane.records[id].status == "IN_PROGRESS"
    assert answered(shared_plane, do="file", bytes=10).status == "COMPLETED"


def test_the_platform_hears_that_the_worker_lives(shared_plane: ControlPlane, shared_worker: Worker) -> None:
    shared_plane.until(lambda: bool(shared_plane.of("ping")))
