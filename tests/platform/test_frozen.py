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


def freeze(worker: Worker) -> None:
    worker.pause()
    time.sleep(FROZEN_SECONDS)
    worker.wake()


def test_frozen_between_jobs_it_takes_the_next(plane: ControlPlane, worker: Worker) -> None:
    spoken(plane, {"text": "Before."})
    freeze(worker)
    spoken(plane, {"text": "After."})


def test_frozen_in_the_middle_of_a_job_it_ends_it_whole(plane: ControlPlane, worker: Worker) -> None:
    (id,) = plane.submit(STREAM)
    plane.until(lambda: len(plane.of("stream", id)) > 1)
    freeze(worker)
    (job,) = plane.wait(id)
    assert job.status == "COMPLETED", job.error
    sound = [event for event in job.stream if event["event"] == "audio"]
    assert [event["seq"] for event in sound] == list(range(len(sound)))
    assert " ".join(segment["text"] for segment in job.output[0]["segments"]) == LONG


def test_its_connections_are_gone_when_it_wakes_and_that_does_not_hurt(plane: ControlPlane, worker: Worker) -> None:
    worker.pause()
    plane.end_polls()
    time.sleep(FROZEN_SECONDS)
    worker.wake()
    spoken(plane, {"text": "After."})
