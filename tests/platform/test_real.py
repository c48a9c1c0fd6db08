"""The real worker in a real process: hibari behind the SDK's own loop, a control plane and a bucket beside it."""

import base64
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.houses import decoded
from tests.platform.control_plane import ControlPlane, Record
from tests.platform.worker import ROOT, Worker
from tests.store.seaweed import Seaweed

pytestmark = [pytest.mark.slow, pytest.mark.service]

TEXT = "The first sentence is here. The second one follows it, and the third ends it all."
LONG = " ".join(f"This is sentence number {number}, and it goes on for quite a while." for number in range(120))


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module")
def worker(plane: ControlPlane, seaweed: Seaweed) -> Iterator[Worker]:
    bucket = seaweed.make("the-workers-own")
    environment = {
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket,
        "BUCKET_PREFIX": "speech",
        "ALLOW_HOSTS": seaweed.host,
    }
    with Worker(plane, script=ROOT / "handler.py", **environment) as worker:
        yield worker


def spoken(plane: ControlPlane, asked: dict[str, Any], **top: Any) -> Record:
    (job,) = plane.wait(*plane.submit(asked, **top))
    return job


def answer(job: Record) -> dict[str, Any]:
    assert job.status == "COMPLETED", job.error
    (found,) = job.output
    assert found["event"] == "done"
    return dict(found)


def fetched(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read(), response.headers["Content-Type"]


def test_text_in_speech_out(plane: ControlPlane, worker: Worker) -> None:
    found = answer(spoken(plane, {"text": TEXT}))
    data = base64.b64decode(found["audio"]["data"])
    sound, rate = decoded(data)
    assert found["audio"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert sound.size / rate == pytest.approx(found["audio"]["duration"], abs=1e-3)
    assert abs(sound).max() > 0.1


def test_a_streams_chunks_are_one_file(plane: ControlPlane, worker: Worker) -> None:
    job = spoken(plane, {"text": TEXT, "delivery": "stream", "format": "mp3"})
    chunks = [event for event in job.stream if event["event"] == "audio"]
    data = b"".join(base64.b64decode(chunk["data"]) for chunk in chunks)
    found = answer(job)
    assert [event["event"] for event in job.stream] == ["started", *["audio"] * len(chunks), "done"]
    assert found["audio"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert "data" not in found["audio"]
    sound, rate = decoded(data)
    assert sound.size / rate == pytest.approx(found["audio"]["duration"], abs=0.2)


def test_jobs_side_by_side_each_get_their_own_answer(plane: ControlPlane, worker: Worker) -> None:
    texts = [f"Number {number} speaks." for number in range(8)]
    jobs = plane.wait(*plane.submit(*({"text": text} for text in texts)))
    assert [answer(job)["segments"][0]["text"] for job in jobs] == texts


def test_what_is_too_large_for_an_answer_goes_to_the_bucket(plane: ControlPlane, worker: Worker) -> None:
    found = answer(spoken(plane, {"text": LONG}))
    data, content_type = fetched(found["audio_url"])
    assert found["audio"]["url"] == found["audio_url"]
    assert content_type == "audio/wav"
    assert hashlib.sha256(data).hexdigest() == found["audio"]["sha256"]
    assert "expires_at" in found["audio"]


def test_a_jobs_own_bucket_goes_before_the_workers(plane: ControlPlane, worker: Worker, seaweed: Seaweed) -> None:
    s3 = seaweed.job(seaweed.make("the-jobs-own"))
    found = answer(spoken(plane, {"text": TEXT, "delivery": "url", "format": "opus"}, s3Config=s3))
    assert "/the-jobs-own/" in found["audio_url"]
    data, content_type = fetched(found["audio_url"])
    assert content_type.startswith("audio/ogg")
    assert decoded(data)[1] == 24_000 or decoded(data)[1] == 48_000
    inside = answer(spoken(plane, {"text": TEXT, "delivery": "url", "s3Config": s3}))
    assert "/the-jobs-own/" in inside["audio_url"]


def test_a_secret_is_in_no_line_of_the_log(plane: ControlPlane, worker: Worker, seaweed: Seaweed) -> None:
    s3 = seaweed.job(seaweed.make("with-wrong-keys"), accessSecret="wrong-and-private")
    job = spoken(plane, {"text": "A text nobody may log.", "delivery": "url"}, s3Config=s3)
    assert job.status == "FAILED"
    assert json.loads(str(job.error))["code"] == "storage_failed"
    said = "\n".join(worker.lines)
    for secret in ("wrong-and-private", seaweed.secret_key, "nobody may log", "X-Amz-Signature"):
        assert secret not in said
        assert secret not in str(job.error)


def test_a_cancelled_job_frees_its_place(plane: ControlPlane, worker: Worker) -> None:
    (id,) = plane.submit({"text": LONG * 5, "delivery": "stream", "format": "pcm"})
    plane.until(lambda: bool(plane.of("stream", id)))
    plane.cancel(id)
    worker.heard("cancelled")
    for _ in range(50):  # the line is logged when the job is let go, a moment before its lines are
        health = answer(spoken(plane, {"op": "system.health"}))
        if health["queue"] == {"jobs": 1, "lines": 0}:
            break
    assert health["queue"] == {"jobs": 1, "lines": 0}
    assert [resident["uses"] for resident in health["residents"]] == [0]


def test_a_failed_job_says_why_in_one_json_string(plane: ControlPlane, worker: Worker) -> None:
    job = spoken(plane, {"text": "Hi.", "voice": "nobody"})
    error = json.loads(str(job.error))
    assert job.status == "FAILED"
    assert (error["code"], error["field"], error["retryable"]) == ("unknown_voice", "voice", False)
    assert [event["event"] for event in job.stream] == ["error"]


def test_a_wrong_setting_is_every_jobs_answer(plane: ControlPlane) -> None:
    with ControlPlane() as other, Worker(other, script=ROOT / "handler.py", MODEL="nobody"):
        job = spoken(other, {"text": "Hi."})
    assert json.loads(str(job.error))["code"] == "misconfigured"
