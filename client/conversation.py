"""How a job is asked and heard, without a socket: steps go out to whoever has one, what came of them comes back.

The same requests go to a server of ours, which answers `/run` with the events as lines, and to RunPod, which answers
with an id that is then asked tightly. A job that may have arrived is never sent twice, nor heard twice.
"""

import json
import random
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from .errors import Cancelled, ServerError, TimedOut, of_object, of_reply, unreachable

LINES = "application/x-ndjson"
OPEN = ("IN_QUEUE", "IN_PROGRESS", "RUNNING")
FLOOR_SECONDS, QUEUED_SECONDS = 0.02, 0.25
"""Between two looks at a job: while it is worked on, and after it has waited for a while."""
LONGEST_PAUSE = 30.0
NEVER_ARRIVED, UNANSWERED = 0, -1
"""In place of a status."""


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    lines: bool = False
    """Whether lines follow instead of a body."""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The next line is wanted; None is none."""


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Said:
    event: dict[str, Any]


Step = Call | Line | Wait | Said
Steps = Generator[Step, Any, None]


@dataclass(slots=True)
class Conversation:
    body: dict[str, Any]
    """What goes to `/run`."""
    seconds: float = 600.0
    """For the whole of it, cold start included."""
    tries: int = 4
    """Of what surely did nothing, or only looked."""
    id: str = ""
    """RunPod's, while the job is not over there: to be cancelled when nobody listens any more."""
    began: float = field(default_factory=time.monotonic)
    _next: int = 0

    def steps(self) -> Steps:
        """Ends after the event `done`. Raises what the job failed with."""
        reply: Reply = yield from self._call(Call("POST", "run", self.body), again=bool(self.body["input"].get("key")))
        if reply.lines:
            yield from self._listened()
            return
        self.id = str(_object(reply).get("id") or "")
        if not self.id:
            raise ServerError("The server took the job and named no id.")
        yield from self._polled()

    def _listened(self) -> Steps:
        while True:
            line: str | None = yield Line()
            if line is None:
                raise unreachable("The server's answer broke off before its end.")
            if line.strip():
                event = json.loads(line)
                if (yield from self._said(event)):
                    return

    def _polled(self) -> Steps:
        looks, status = 0, "IN_QUEUE"
        while True:
            told = _object((yield from self._call(Call("GET", f"stream/{self.id}"), again=True)))
            said = [each.get("output") for each in told.get("stream") or []]
            for event in said:
                if isinstance(event, dict) and event.get("event") == "done":
                    yield from self._ended(event)
                    return
                yield from self._said(event)
            if told.get("status") not in OPEN and not said:
                yield from self._ended(None)
                return
            looks = looks + 1 if told.get("status") == status else 0
            status = str(told.get("status"))
            yield from self._pause(status, looks)

    def _ended(self, done: dict[str, Any] | None) -> Steps:
        """A stream's answer is whole in the stream; a file's, and one that was not seen there, is in the status."""
        if done is not None and self._next and "segments" in done:
            self.id = ""
            yield Said(done)
            return
        while True:
            told = _object((yield from self._call(Call("GET", f"status/{self.id}"), again=True)))
            if told.get("status") not in OPEN:
                break
            yield from self._pause("IN_PROGRESS", 0)
        self.id = ""
        yield Said(_answer(told))

    def _said(self, event: Any) -> Generator[Step, Any, bool]:
        """Whether it was the last."""
        if not isinstance(event, dict):
            return False
        kind = event.get("event")
        if kind == "error":
            self.id = ""
            raise of_object(event) or ServerError("The job failed, and does not say why.")
        if kind == "started" and self._next:
            raise unreachable("The job's worker was lost, and another one began it anew.")
        if kind == "audio":
            if event["seq"] != self._next:
                raise unreachable("A part of the sound was lost on the way.")
            self._next += 1
        yield Said(event)
        return kind == "done"

    def _pause(self, status: str, looks: int) -> Steps:
        if time.monotonic() - self.began > self.seconds:
            raise TimedOut(f"There was no answer within {self.seconds:g} s.", code="timed_out", retryable=True)
        long = status == "IN_QUEUE" and looks > 5
        yield Wait(min(QUEUED_SECONDS, FLOOR_SECONDS * 1.2**looks) if long else FLOOR_SECONDS)

    def _call(self, call: Call, *, again: bool) -> Generator[Step, Any, Reply]:
        """The answer to keep. Sent again where it surely did nothing; where its answer was lost, if it may be."""
        for left in reversed(range(self.tries)):
            reply: Reply = yield call
            if 200 <= reply.status < 300:
                return reply
            nothing = reply.status in (NEVER_ARRIVED, 429)
            lost = reply.status == UNANSWERED or reply.status >= 500
            if not left or not (nothing or (lost and again)):
                raise _refused(reply, sent=lost and not again)
            yield Wait(_wait(reply, self.tries - left))
        raise AssertionError("unreachable")


def _wait(reply: Reply, tries: int) -> float:
    if reply.retry_after is not None:
        return min(reply.retry_after, LONGEST_PAUSE)
    return float(min(LONGEST_PAUSE, 0.25 * 2**tries * random.uniform(0.5, 1.0)))


def _refused(reply: Reply, *, sent: bool) -> Exception:
    twice = " The job may be running all the same, so it was not sent again." if sent else ""
    if reply.status == NEVER_ARRIVED:
        return unreachable("Nobody answers at the server's address.")
    if reply.status == UNANSWERED:
        return unreachable(f"The server did not answer.{twice}")
    return of_reply(reply.status, reply.body)


def _object(reply: Reply) -> dict[str, Any]:
    try:
        told = json.loads(reply.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ServerError("The server answered something that is no job.")
    return told


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    output = told.get("output")
    match told.get("status"):
        case "COMPLETED" if isinstance(output, list) and output and isinstance(output[-1], dict):
            return dict(output[-1])
        case "COMPLETED":
            raise ServerError("The platform dropped the job's answer: it loses what is over 10 MB.")
        case "FAILED":
            raise of_object(told.get("error")) or ServerError("The job failed, and does not say why.")
        case "TIMED_OUT":
            raise TimedOut("The endpoint's execution timeout ended the job.", code="timed_out", retryable=True)
        case _:
            raise Cancelled("The job was cancelled.", code="cancelled")


def sent(steps: Steps, came: Any) -> Step | None:
    """The next step; None after the last."""
    try:
        return steps.send(came)
    except StopIteration:
        return None
