"""The whole worker: `python handler.py` with the real house, under the SDK, on the control plane."""

import base64
import io
import json
import wave
from collections.abc import Iterator

import pytest

from tests.platform.control_plane import ControlPlane, Record
from tests.platform.worker import ROOT, Worker

pytestmark = pytest.mark.slow

TEXT = "The quick brown fox jumps over the lazy dog. It was not amused."


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module", autouse=True)
def worker(plane: ControlPlane) -> Iterator[Worker]:
    with Worker(plane, script=ROOT / "handler.py", MODEL="tone") as worker:
        yield worker


def spoken(plane: ControlPlane, **asked: object) -> Record:
    return plane.wait(*plane.submit(asked))[0]


def seconds(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as file:
        return float(len(file.readframes(10**9)) / file.getframerate() / file.getsampwidth())


def test_a_file_is_in_the_answer(plane: ControlPlane) -> None:
    [answer] = spoken(plane, text=TEXT).output
    assert seconds(base64.b64decode(answer["audio"]["data"])) == pytest.approx(answer["audio"]["duration"], abs=0.05)


def test_a_stream_is_one_sound_and_its_answer_has_none(plane: ControlPlane) -> None:
    job = spoken(plane, text=TEXT, delivery="stream", format="wav")
    sound = [event for event in job.stream if event["event"] == "audio"]
    assert [event["event"] for event in (job.stream[0], job.stream[-1])] == ["started", "done"]
    assert [event["seq"] for event in sound] == list(range(len(sound)))
    assert seconds(b"".join(base64.b64decode(event["data"]) for event in sound)) > 2.0
    assert len(job.output) == 1
    assert "data" not in job.output[0]["audio"]


def test_four_jobs_at_once_are_each_answered(plane: ControlPlane) -> None:
    ids = plane.submit(*({"text": TEXT, "seed": seed} for seed in range(4)))
    assert [job.output[0]["seed"] for job in plane.wait(*ids)] == [0, 1, 2, 3]


def test_a_mistake_is_told_by_name(plane: ControlPlane) -> None:
    job = spoken(plane, text=TEXT, vioce="x")
    assert json.loads(str(job.error))["code"] == "invalid_input"
    assert "vioce" in str(job.error)


def test_the_workers_health_is_a_job_too(plane: ControlPlane) -> None:
    assert spoken(plane, op="system.health").output[0]["status"] == "ready"


def test_a_stream_that_is_cancelled_while_posting_ends_at_once(plane: ControlPlane, worker: Worker) -> None:
    with plane.slow("stream"):
        [id] = plane.submit({"text": TEXT * 20, "delivery": "stream"})
        plane.until_posting("stream", id)
        plane.cancel(id)
        assert '"outcome": "cancelled"' in worker.heard(f'"{id}", "message": "job"')
    assert spoken(plane, text=TEXT).status == "COMPLETED"
    assert plane.of("done", id) == []
