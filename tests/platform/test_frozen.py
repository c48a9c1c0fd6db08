"""A worker that the platform freezes and wakes later, as FlashBoot does: it goes on, and so do its jobs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.platform.control_plane import ControlPlane, Record
from tests.platform.worker import ROOT, Worker

pytestmark = [pytest.mark.slow, pytest.mark.service]

FROZEN_SECONDS = 4.0
LONG = " ".join(f"This is sentence number {number}, and it goes on for quite a while." for number in range(40))
STREAM = {"text": LONG, "delivery": "stream", "format": "mp3", "loudness": -16}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module")
def worker(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder: Path = tmp_path_factory.mktemp("out")
    with Worker(plane, script=ROOT / "handler.py", MODEL="hibari", AUDIO_OUTPUT_DIR=str(folder)) as worker:
        yield worker


def spoken(plane: ControlPlane, asked: dict[str, Any]) -> Record:
    (job,) = plane.wait(*plane.submit(asked))
    assert job.status == "COMPLETED", job.error
    return job


FROZEN = pytest.mark.parametrize("seconds", [FROZEN_SECONDS, pytest.param(60.0, marks=pytest.mark.long)])


def freeze(worker: Worker, seconds: float) -> None:
    worker.pause()
    time.sleep(seconds)
    worker.wake()


@FROZEN
def test_frozen_between_jobs_it_takes_the_next(plane: ControlPlane, worker: Worker, seconds: float) -> None:
    spoken(plane, {"text": "Before."})
    freeze(worker, seconds)
    spoken(plane, {"text": "After."})


@FROZEN
def test_frozen_in_the_middle_of_a_job_it_ends_it_whole(plane: ControlPlane, worker: Worker, seconds: float) -> None:
    (id,) = plane.submit(STREAM)
    plane.until(lambda: len(plane.of("stream", id)) > 1)
    freeze(worker, seconds)
    (job,) = plane.wait(id)
    assert job.status == "COMPLETED", job.error
    sound = [event for event in job.stream if event["event"] == "audio"]
    assert [event["seq"] for event in sound] == list(range(len(sound)))
    assert " ".join(segment["text"] for segment in job.output[0]["segments"]) == LONG


@FROZEN
def test_its_connections_are_gone_when_it_wakes_and_that_does_not_hurt(
    plane: ControlPlane, worker: Worker, seconds: float
) -> None:
    worker.pause()
    plane.end_polls()
    time.sleep(seconds)
    worker.wake()
    spoken(plane, {"text": "After."})
