"""Operations asked of a house here and of a deployed endpoint: the same answers and the same refusals."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from basics.errors import Failure
from basics.settings import Settings
from operations.asking import Endpoint, Here
from tests.engines import weights
from tests.platform.control_plane import ControlPlane
from tests.platform.worker import ROOT, Worker
from tests.voices.speaking import encoded, speech
from voices.__main__ import app
from voices.client import every, sound


def settings(**more: str) -> Settings:
    return Settings.read({"MODEL": "tone", "RUNPOD_API_KEY": "loopback", **more})


def test_a_file_that_an_operation_writes_is_handed_over_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Here(settings(VOICES=str(tmp_path / "voices"), AUDIO_OUTPUT_DIR=str(out))) as here:
        answer = here.ask("speak", text="Hello there.", model="tone", delivery="volume")
        assert answer.data is not None
        assert answer.data.startswith(b"RIFF")
    assert not out.exists()
    assert not Path(answer.fields["audio"]["path"]).exists()


def test_a_refusal_here_is_the_operations_own(tmp_path: Path) -> None:
    with Here(settings(VOICES=str(tmp_path))) as here, pytest.raises(Failure) as told:
        here.ask("voices.get", id="nobody")
    assert told.value.code == "unknown_voice"


def test_an_endpoint_needs_a_key_and_a_plain_id() -> None:
    with pytest.raises(Failure, match="RUNPOD_API_KEY"):
        Endpoint(Settings.read({}), "abc")
    with pytest.raises(Failure, match="endpoint's id"):
        Endpoint(settings(), "../v1")


def test_nobody_at_the_address_is_told_plainly() -> None:
    lost = settings(RUNPOD_ENDPOINT_BASE_URL="http://127.0.0.1:9/v2")
    with Endpoint(lost, "ep", tries=0) as endpoint, pytest.raises(Failure) as told:
        endpoint.ask("voices.list")
    assert (told.value.code, told.value.retryable) == ("timed_out", True)


def test_a_request_over_the_platforms_limit_is_not_sent() -> None:
    with Endpoint(settings(), "ep") as endpoint, pytest.raises(Failure) as told:
        endpoint.ask("voices.create", id="a", reference="A" * 10_000_000)
    assert told.value.code == "payload_too_large"


def test_a_job_that_nobody_takes_is_cancelled_when_patience_ends() -> None:
    with ControlPlane() as plane:
        near = settings(RUNPOD_ENDPOINT_BASE_URL=f"{plane.url}/v2")
        with Endpoint(near, plane.endpoint, seconds=0.2) as endpoint, pytest.raises(Failure) as told:
            endpoint.ask("voices.list")
        assert told.value.code == "timed_out"
        assert [record.status for record in plane.records.values()] == ["CANCELLED"]
        with Endpoint(near, "another") as endpoint, pytest.raises(Failure) as told:
            endpoint.ask("voices.list")
        assert told.value.code == "not_found"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("worker")
    places = {"VOICES": str(folder / "voices"), "WEIGHTS_DIR": str(folder), "MODEL_CACHE_DIR": str(folder)}
    with ControlPlane() as plane, Worker(plane, script=ROOT / "handler.py", MODEL="tone", **places):
        yield plane


@pytest.mark.slow
def test_a_voices_life_on_an_endpoint_is_that_in_a_folder(plane: ControlPlane, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "one.wav").write_bytes(encoded(speech(3)))

    def run(*words: object, code: int = 0) -> dict[str, Any]:
        base = {"RUNPOD_ENDPOINT_BASE_URL": f"{plane.url}/v2", "RUNPOD_API_KEY": "loopback"}
        nothing = {"WEIGHTS_DIR": str(tmp_path), "MODEL_CACHE_DIR": str(tmp_path)}
        result = CliRunner().invoke(app, [*map(str, words), "--endpoint", plane.endpoint, "--json"], env=base | nothing)
        assert result.exit_code == code, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    made = run("clone", "--input-dir", folder, "--voice-id", "alice", "--model", "tone", "--language", "en")
    assert made["models"] == [{"model": "tone", "ready": True}]
    assert run("add", "alice", folder / "one.wav", code=1)["error"]["code"] == "voice_exists"
    assert run("edit", "alice", "--name", "Alice")["voice"]["name"] == "Alice"
    run("export", "alice", "--to", tmp_path / "alice.zip")
    assert run("import", tmp_path / "alice.zip", "--as", "bob")["voice"]["name"] == "Alice"
    assert [row["id"] for row in run("list")["voices"]] == ["alice", "bob"]
    assert all(row["usable"] for row in run("check")["voices"])
    assert run("remove", "bob", "--yes") == {"deleted": ["bob"]}
    assert run("show", "bob", code=1)["error"]["code"] == "unknown_voice"


@pytest.mark.slow
def test_both_give_the_same_recording(plane: ControlPlane, tmp_path: Path) -> None:
    import base64

    reference = "data:audio/wav;base64," + base64.b64encode(encoded(speech(1))).decode()
    with (
        Endpoint(settings(RUNPOD_ENDPOINT_BASE_URL=f"{plane.url}/v2"), plane.endpoint) as there,
        Here(settings(VOICES=str(tmp_path))) as here,
    ):
        told = [client.ask("voices.create", id="same", reference=reference).fields["voice"] for client in (here, there)]
        assert told[0]["sha256"] == told[1]["sha256"]
        assert sound(here, "same") == sound(there, "same")
        assert "same" in {row["id"] for row in every(there)}


@pytest.mark.engine
@pytest.mark.slow
def test_what_an_endpoint_cannot_write_down_is_written_down_here(plane: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes(encoded(speech(2)))
    weights.whisper()
    given = {
        "RUNPOD_ENDPOINT_BASE_URL": f"{plane.url}/v2",
        "RUNPOD_API_KEY": "loopback",
        "WEIGHTS_DIR": str(weights.CACHE),
    }
    words = ["clone", "--input-dir", str(tmp_path), "--voice-id", "heard", "--model", "tone"]
    result = CliRunner().invoke(app, [*words, "--endpoint", plane.endpoint, "--json"], env=given)
    assert result.exit_code == 0, result.output
    assert "welcome to our little show" in json.loads(result.stdout)["voice"]["transcript"]


@pytest.mark.service
def test_voices_in_a_bucket_are_kept_and_carried_like_those_in_a_folder(
    seaweed: Any, bucket_name: str, tmp_path: Path
) -> None:
    recording = tmp_path / "one.wav"
    recording.write_bytes(encoded(speech(1)))
    given = {
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
    }

    def run(*words: object) -> dict[str, Any]:
        place = ("--voices", f"s3://{bucket_name}/voices", "--json")
        result = CliRunner().invoke(app, [*map(str, words), *place], env=given)
        assert result.exit_code == 0, result.output
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    run("add", "bob", recording)
    run("export", "bob", "--to", tmp_path / "bob.zip")
    run("remove", "bob", "--yes")
    run("import", tmp_path / "bob.zip")
    assert [row["id"] for row in run("list")["voices"]] == ["bob"]
