"""RunPod's own Python client against the control plane, with our worker behind it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platform.control_plane import ControlPlane
from tests.platform.worker import Worker

pytestmark = pytest.mark.slow
runpod = pytest.importorskip("runpod")


@pytest.fixture
def endpoint(shared_plane: ControlPlane, shared_worker: Worker) -> Iterator[Any]:
    before, runpod.endpoint_url_base = runpod.endpoint_url_base, f"{shared_plane.url}/v2"
    endpoint = runpod.Endpoint(shared_plane.endpoint, api_key="loopback")
    yield endpoint
    endpoint.rp_client.rp_session.close()
    runpod.endpoint_url_base = before


def test_run_sync_returns_the_list(endpoint: Any) -> None:
    [answer] = endpoint.run_sync({"do": "file", "bytes": 3})
    assert answer["audio"]["data"] == "AAAA"


def test_run_and_status_and_output(endpoint: Any) -> None:
    job = endpoint.run({"input": {"do": "file", "bytes": 3}})
    assert job.output(timeout=30)[0]["event"] == "done"
    assert job.status() == "COMPLETED"


def test_stream_yields_every_event_in_order(endpoint: Any) -> None:
    events = list(endpoint.run({"do": "stream", "bytes": 30, "chunks": 3}).stream())
    assert [event["event"] for event in events] == ["started", "audio", "audio", "audio", "done"]


def test_a_failed_stream_ends_with_the_error(endpoint: Any) -> None:
    [event] = endpoint.run({"do": "fail"}).stream()
    assert (event["event"], event["code"]) == ("error", "unknown_voice")


def test_a_failed_job_says_why_in_its_status(endpoint: Any, shared_plane: ControlPlane) -> None:
    job = endpoint.run({"do": "fail"})
    shared_plane.wait(job.job_id)
    state = endpoint.rp_client.get(f"{shared_plane.endpoint}/status/{job.job_id}")
    assert json.loads(state["error"])["code"] == "unknown_voice"
    assert "output" not in state


def test_cancel_reaches_the_worker(endpoint: Any, shared_worker: Worker) -> None:
    job = endpoint.run({"do": "wait"})
    shared_worker.told("begun", job.job_id)
    assert job.cancel()["status"] == "CANCELLED"
    shared_worker.told("closed", job.job_id)
    assert job.status() == "CANCELLED"


def test_health_counts_jobs_and_workers(endpoint: Any) -> None:
    endpoint.run_sync({"do": "file"})
    health = endpoint.health()
    assert health["jobs"]["completed"] >= 1
    assert health["workers"]["idle"] + health["workers"]["running"] >= 1


def test_a_wrong_key_is_refused(shared_plane: ControlPlane, endpoint: Any) -> None:
    endpoint.rp_client.headers["Authorization"] = "Bearer wrong"
    with pytest.raises(RuntimeError, match="401"):
        endpoint.run({"do": "file"})
