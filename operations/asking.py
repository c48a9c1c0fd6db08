"""Operations asked by a command, one after the other: of a house in this process, or of a deployed endpoint.

The second speaks RunPod's queue API and gives the same answers and the same Failures as the first.
"""

import asyncio
import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import urllib3

from basics.errors import Failure
from basics.events import Done, Failed
from basics.settings import Settings
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job
from voices.client import Answer
from voices.fetching import Fetching, fetch

REQUEST_BYTES = 10_000_000
"""RunPod's limit of one request."""
SOUND_BYTES = 200_000_000
"""Of a file behind an answer's address."""
PATIENCE = urllib3.Timeout(connect=10.0, read=60.0)
BUSY = (429, 502, 503, 504)
FIRST_LOOK, LAST_LOOK = 0.1, 2.0
"""Seconds between two looks at a job, at first and in the end."""


class Here:
    """A house of its own, on a loop of its own. Loads a model only when one is asked for."""

    whole = "volume"

    def __init__(self, settings: Settings, open: Callable[[Settings], House] = houses.open) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        """What operations write for a caller goes here, is read and gone."""
        self._house = open(settings.model_copy(update={"audio_output_dir": Path(self._scratch.name)}))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        try:
            self._runner.run(self._house.close())
        finally:
            self._runner.close()
            self._scratch.cleanup()

    def ask(self, op: str, **fields: Any) -> Answer:
        return self._runner.run(self._answered(Job(uuid4().hex, {"op": op, **fields})))

    async def _answered(self, job: Job) -> Answer:
        found: Answer | None = None
        try:
            async for event in answer(job, self._house):
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Done):
                    found = Answer(event.answer, event.data or self._written(event.answer.get("audio")))
        finally:
            job.cancel.set()
        if found is None:
            raise Failure("internal", "The operation ended without an answer.")
        return found

    def _written(self, audio: Any) -> bytes | None:
        path = Path(audio["path"]) if isinstance(audio, dict) and audio.get("path") else None
        if path is None or not path.is_relative_to(self._scratch.name):
            return None
        data = path.read_bytes()
        path.unlink()
        return data


class Endpoint:
    """A deployed one. The key is sent to the platform's address and to nobody else."""

    whole = "auto"

    def __init__(self, settings: Settings, id: str, seconds: float | None = None, tries: int = 4) -> None:
        """`seconds`: how long an answer may take, cold start included; `tries`: again, of what does no harm twice."""
        if not settings.runpod_api_key:
            raise Failure("misconfigured", "--endpoint needs RUNPOD_API_KEY in the environment.")
        if not id.replace("-", "").replace("_", "").isalnum():
            raise Failure("invalid_input", "--endpoint is an endpoint's id, as RunPod's console shows it.")
        self._base = f"{settings.endpoint_address.rstrip('/')}/{id}"
        self._headers = {"Authorization": f"Bearer {settings.runpod_api_key}", "Content-Type": "application/json"}
        self._seconds = seconds or settings.execution_seconds
        self._fetching = Fetching(SOUND_BYTES, allow_hosts=settings.allow_hosts)
        # urllib3 repeats no POST whose answer was lost: a job is never queued twice.
        retries = urllib3.Retry(tries, status_forcelist=BUSY, backoff_factor=0.5, raise_on_status=False)
        self._pool = urllib3.PoolManager(timeout=PATIENCE, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def ask(self, op: str, **fields: Any) -> Answer:
        body = json.dumps({"input": {"op": op, **fields}}).encode()
        if len(body) > REQUEST_BYTES:
            raise Failure(
                "payload_too_large",
                f"The request has {len(body) / 1e6:.1f} MB; RunPod takes {REQUEST_BYTES / 1e6:g}.",
                hint="Send shorter recordings, or put them where the endpoint reaches them and name the address.",
            )
        job = str(self._call("POST", "run", body).get("id", ""))
        try:
            return self._read(self._finished(job))
        except BaseException as error:
            if not isinstance(error, Failure) or error.code == "timed_out":
                self._cancel(job)
            raise

    def _finished(self, job: str) -> dict[str, Any]:
        ends, wait = time.monotonic() + self._seconds, FIRST_LOOK
        while time.monotonic() < ends:
            told = self._call("GET", f"status/{job}")
            if told.get("status") not in ("IN_QUEUE", "IN_PROGRESS"):
                return told
            time.sleep(wait)
            wait = min(LAST_LOOK, wait * 1.5)
        raise Failure("timed_out", f"The endpoint did not answer within {self._seconds:g} s; the job was cancelled.")

    def _read(self, told: dict[str, Any]) -> Answer:
        match told.get("status"):
            case "COMPLETED":
                output = told.get("output")
                fields = dict(output[0]) if isinstance(output, list) and output and isinstance(output[0], dict) else {}
                fields.pop("event", None)
                return self._with_sound(fields)
            case "FAILED":
                raise _failure(told.get("error"))
            case "TIMED_OUT":
                raise Failure("timed_out", "The endpoint's execution timeout ended the job.")
            case _:
                raise Failure("cancelled", "The job was cancelled on the endpoint.")

    def _with_sound(self, fields: dict[str, Any]) -> Answer:
        audio = fields.get("audio")
        if not isinstance(audio, dict):
            return Answer(fields)
        audio = dict(audio)
        coded = audio.pop("data", None)
        data = base64.b64decode(coded) if isinstance(coded, str) else None
        if data is None and isinstance(audio.get("url"), str):
            data = fetch(audio["url"], self._fetching, threading.Event(), "audio")
        return Answer({**fields, "audio": audio}, data)

    def _cancel(self, job: str) -> None:
        try:
            self._call("POST", f"cancel/{job}", b"{}")
        except Failure:
            return  # What ended the wait is told, not this.

    def _call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        try:
            reply = self._pool.request(method, f"{self._base}/{path}", body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise Failure("timed_out", f"The endpoint cannot be reached ({type(error).__name__}).") from None
        if reply.status in (401, 403):
            raise Failure("unauthorised", "The endpoint refused the key in RUNPOD_API_KEY.")
        if reply.status == 404:
            raise Failure("not_found", "There is no such endpoint, or its job is gone.")
        if reply.status == 429:
            raise Failure("busy", "RunPod answers that too much is asked of the endpoint; try again shortly.")
        if reply.status >= 400:
            raise Failure(
                "timed_out", f"The endpoint's address answered {reply.status}.", retryable=reply.status >= 500
            )
        try:
            told = json.loads(reply.data)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Failure("internal", "The endpoint's address answered something that is no job.")
        return told


def _failure(told: Any) -> Failure:
    """The contract's error object, as it came through the platform."""
    try:
        error = json.loads(told) if isinstance(told, str) else told
    except ValueError:
        error = None
    return Failure.told(error) or Failure(
        "internal", "The job failed on the endpoint, which does not say why in our words."
    )
