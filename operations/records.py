"""A job as history is told of it, from its input, its events and its end. Only what makes speech is recorded.

The input is as it came, so that also a refused one has its line: nothing here relies on its shape.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from basics.errors import Failure
from basics.events import Done, Event, Failed, Started
from operations.house import House
from operations.job import Job
from store.history.record import Record, State

RECORDED = frozenset({"speak", "convert", "batch"})
NAME_CHARS = 128
TEXT_CHARS = 100_000


@dataclass(slots=True)
class Line:
    """One job's line in the history, while it is answered."""

    job: Job
    house: House
    record: Record
    wall: Callable[[], float] = time.time
    outcome: str = "cancelled"

    @classmethod
    def begun(cls, job: Job, house: House, wall: Callable[[], float] = time.time) -> "Line | None":
        if job.accepted or not is_recorded(job.input):
            return None
        line = cls(job, house, running(asked(job, house, wall()), house, wall()), wall)
        house.history.began(line.record, job.cancel)
        return line

    def hear(self, event: Event) -> None:
        if isinstance(event, Started) and (event.model, event.voice) != (self.record.model, self.record.voice):
            self.record = replace(self.record, model=event.model, voice=event.voice[:NAME_CHARS])
        elif isinstance(event, Done | Failed):
            self.record = finished(self.record, event, self.wall())

    def placed(self, where: str) -> None:
        """An endpoint runs it."""
        self.record = replace(self.record, place=where)
        self.house.history.began(self.record, self.job.cancel)

    def end(self) -> None:
        """What ended without a word was left by whoever asked."""
        if self.record.open:
            left = Failed(Failure("cancelled", "The job was cancelled."))
            self.record = finished(self.record, left, self.wall())
        self.house.history.ended(self.record)


def is_recorded(input: Any) -> bool:
    return isinstance(input, dict) and _op(input) in RECORDED and input.get("dry_run") is not True


def asked(job: Job, house: House, now: float) -> Record:
    """As it is accepted."""
    given = job.input if isinstance(job.input, dict) else {}
    return Record(
        id=job.id,
        op=_op(given),
        model=_model(given, house),
        voice=given["voice"][:NAME_CHARS] if isinstance(given.get("voice"), str) else "",
        text=_text(given) if house.settings.keep_text else "",
        batch=job.batch,
        created=now,
    )


def running(record: Record, house: House, now: float) -> Record:
    return replace(
        record, state="running", started=now, worker=house.worker, place=house.settings.endpoint_id or "local"
    )


def finished(record: Record, event: Done | Failed, now: float) -> Record:
    if isinstance(event, Failed):
        error = event.error
        state: State = "cancelled" if error.code == "cancelled" else "failed"
        return replace(record, state=state, ended=now, code=error.code, message=error.message)
    answer = event.answer
    audio = _dict(answer.get("audio"))
    return replace(
        record,
        state="done",
        ended=now,
        code="",
        message="",
        model=str(answer.get("model") or record.model),
        voice=str(answer.get("voice") or record.voice)[:NAME_CHARS] if "model" in answer else record.voice,
        duration=float(audio.get("duration") or 0.0),
        format=str(audio.get("format") or ""),
        bytes=int(audio.get("bytes") or 0),
        usage=_dict(answer.get("usage")),
        audio=event.location,
    )


def _op(given: Mapping[str, Any]) -> str:
    op = given.get("op", "speak")
    return op[:NAME_CHARS] if isinstance(op, str) else "unknown"


def _model(given: Mapping[str, Any], house: House) -> str:
    """By its id, where an alias or nothing was given."""
    named = given.get("model")
    if not (named is None or isinstance(named, str)):
        return ""
    try:
        return house.catalogue.look(named).id if named else house.catalogue.default.id
    except Failure:
        return (named or "")[:NAME_CHARS]


def _text(given: Mapping[str, Any]) -> str:
    turns = given.get("turns")
    said = [given.get("text", given.get("prompt"))]
    said += [_dict(turn).get("text") for turn in turns] if isinstance(turns, list) else []
    return "\n".join(each for each in said if isinstance(each, str))[:TEXT_CHARS]


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
