"""The door: what it imports, how it chooses the way to start, and how a run by hand ends."""

import inspect
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from basics.events import Done, Event, Progress
from handler import Config, collector_for, handler_for
from operations.job import Job
from operations.shift import Shift
from tests.platform.worker import FAKE, ROOT, Worker, clean


def by_hand(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(FAKE), *arguments]
    return subprocess.run(command, cwd=ROOT, env={**clean(), **environment}, capture_output=True, text=True)


def asked(**job: object) -> str:
    return json.dumps({"input": job})


async def answer(_: Job) -> AsyncGenerator[Event, None]:
    yield Progress(1, 2, 3.0)
    yield Done({"audio": {"format": "wav"}}, b"abc")


def test_importing_the_door_imports_nothing_heavy() -> None:
    code = "import handler, sys; print({'runpod', 'torch', 'boto3', 'fastapi', 'av', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_sdk_sees_an_async_generator_where_there_is_a_stream_and_a_coroutine_elsewhere() -> None:
    assert inspect.isasyncgenfunction(handler_for(answer, Shift(4, 1.0)))
    assert inspect.iscoroutinefunction(collector_for(answer, Shift(4, 1.0)))


async def test_only_the_last_word_is_kept_for_the_answer_and_grows_after_it_was_posted() -> None:
    config = Config(other=1)
    kept, posted = [], []
    async for payload in handler_for(answer, Shift(4, 1.0))({"id": "1", "input": {}}):
        if config.get("return_aggregate_stream", False):
            kept.append(payload)
        posted.append(json.dumps(payload))
    assert kept == [{"event": "done", "audio": {"format": "wav", "data": "YWJj"}}]
    assert json.loads(posted[-1]) == {"event": "done", "audio": {"format": "wav"}}
    assert config.get("other") == 1


async def test_without_a_stream_the_answer_is_the_list() -> None:
    handler = collector_for(answer, Shift(4, 1.0))
    assert await handler({"id": "1", "input": {}}) == [{"event": "done", "audio": {"format": "wav", "data": "YWJj"}}]


def test_by_hand_the_sound_is_written_and_told_about(tmp_path: Path) -> None:
    done = by_hand("--test_input", asked(do="file", bytes=1000), "--out", str(tmp_path))
    assert done.returncode == 0
    assert (tmp_path / "speech.wav").read_bytes() == bytes(1000)
    assert str(tmp_path / "speech.wav") in done.stdout
    assert "AAAA" not in done.stdout


def test_by_hand_a_stream_is_joined_into_a_file(tmp_path: Path) -> None:
    done = by_hand("--test_input", asked(do="stream", bytes=1000, chunks=3), "--out", str(tmp_path))
    assert done.returncode == 0
    assert (tmp_path / "speech.wav").stat().st_size == 3000


def test_by_hand_a_failed_job_ends_with_one_and_says_why() -> None:
    done = by_hand("--test_input", asked(do="fail"))
    assert done.returncode == 1
    assert done.stderr.strip() == "unknown_voice: There is no voice `x`."


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MAX_BATCH": "none"}, "MAX_BATCH"),
        ({"MODE": "http", "PORT": "none"}, "PORT"),
        ({"FAKE_START": "weights_missing"}, "weights_missing"),
    ],
)
def test_by_hand_a_wrong_start_ends_with_two_and_one_line(environment: dict[str, str], says: str) -> None:
    done = by_hand("--test_input", asked(do="file"), **environment)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("wrong", ["{", "[]", '{"input": 1}'])
def test_by_hand_what_is_no_job_ends_with_two_and_one_line(wrong: str) -> None:
    done = by_hand("--test_input", wrong)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_sdks_server_answers_with_the_list_or_says_that_the_job_failed() -> None:
    with Worker(None, "--rp_serve_api", "--rp_api_port", "0", "--rp_api_host", "127.0.0.1") as worker:
        url = worker.heard("Uvicorn running on").split(" on ")[1].split()[0]
        done = ask(url, do="file", bytes=3)
        failed = ask(url, do="fail")
    assert done["status"] == "COMPLETED"
    assert [event["event"] for event in done["output"]] == ["done"]
    assert failed["status"] == "FAILED"
    assert json.loads(failed["error"])["code"] == "unknown_voice"


def ask(url: str, **job: object) -> Any:
    body = asked(**job).encode()
    request = urllib.request.Request(f"{url}/runsync", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)
