"""A job in this process's hands that nobody waits for: what is known of it, and what it has said."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from basics.errors import Failure
from operations.job import Job
from operations.tape import Tape
from store.history.record import Record


@dataclass(frozen=True, slots=True)
class Result:
    """How a job stands."""

    record: Record
    answer: dict[str, Any] | None = None
    """Of a job that is done, where it is still kept. The sound is not in it: `operations.hearing` finds that."""
    error: Failure | None = None
    """Of a job that failed or was cancelled."""


@dataclass(slots=True, eq=False)
class Errand:
    job: Job
    record: Record
    tape: Tape = field(default_factory=Tape)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has a place, or ended without one."""
    task: "asyncio.Task[None] | None" = None
    answer: dict[str, Any] | None = None
    error: Failure | None = None
    ended: float = 0.0
    """When, on the house's clock."""
    answer_bytes: int = 0
    """Of the answer, as JSON."""
    leaving: bool = False
    """Whether another process is to run it instead."""

    def result(self) -> Result:
        return Result(self.record, self.answer, self.error)
