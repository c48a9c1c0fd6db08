"""RunPod's OpenAI route through the SDK's own loop, by a real worker on the control plane."""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.platform.control_plane import ControlPlane, Record
from tests.platform.worker import ROOT, Worker

pytestmark = pytest.mark.slow

SPEECH = {"input": "The quick brown fox. It was not amused.", "model": "tts-1", "voice": "nova"}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module", autouse=True)
def worker(plane: ControlPlane) -> Iterator[Worker]:
    with Worker(plane, script=ROOT / "handler.py", MODEL="tone", MODEL_ALIASES="tts-1=tone") as worker:
        yield worker


def asked(plane: ControlPlane, route: str, body: object = None) -> Record:
    return plane.wait(*plane.submit({"openai_route": route, "openai_input": body}))[0]


def test_speech_is_one_object_with_the_file(plane: ControlPlane) -> None:
    [told] = asked(plane, "/v1/audio/speech", SPEECH).output
    assert "event" not in told
    assert told["model"] == "tone"
    assert len(base64.b64decode(told["audio"]["data"])) == told["audio"]["bytes"]


def test_sse_goes_to_the_stream_as_text(plane: ControlPlane) -> None:
    job = asked(plane, "/v1/audio/speech", SPEECH | {"stream_format": "sse"})
    assert all(isinstance(said, str) and said.endswith("\n\n") for said in job.stream)
    types = [json.loads(said.removeprefix("data: "))["type"] for said in job.stream]
    assert types == ["speech.audio.delta"] * (len(types) - 1) + ["speech.audio.done"]
    assert job.output == [job.stream[-1]]


def test_lists_are_one_object(plane: ControlPlane) -> None:
    assert asked(plane, "/v1/models").output[0]["object"] == "list"
    assert asked(plane, "/v1/audio/voices").output[0]["model"] == "tone"


def test_an_error_is_openais_body_as_a_string(plane: ControlPlane) -> None:
    job = asked(plane, "/v1/audio/speech", SPEECH | {"speed": 4})
    assert job.status == "FAILED"
    assert json.loads(str(job.error))["error"]["param"] == "speed"
