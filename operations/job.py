"""A job as the house sees it, whichever door it came through."""

import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """Of live text."""

    text: str = ""
    flush: bool = False
    """Whether all that was written so far is to be spoken, complete or not."""


def _unheard(where: str) -> None:
    """Nobody asks where a job runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    id: str
    input: Any
    """As it came: `answer` checks that it is an object."""
    s3: Any = None
    """The job's own bucket (`s3Config`), unchecked."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Set from any thread when nobody wants the answer any more."""
    received: float = field(default_factory=time.monotonic)
    written: AsyncGenerator["Piece", None] | None = None
    """Live speech: the text as it comes. `input` is then a speak input without text."""
    wide: bool = False
    """Whether its door carries an inline file of any size; RunPod's queue does not."""
    share: int = 1
    """How many jobs share one answer, and so what it holds inline."""
    batch: str = ""
    """The batch it is part of, if any: history finds its jobs by it."""
    accepted: bool = False
    """Whether somebody accepted it into the history before it began, and tells of it from then on."""
    placed: Callable[[str], None] = _unheard
    """Told where else it runs, as history keeps that: an endpoint's id and the job's there. Empty: there no more."""
    left: str = ""
    """What a process before this one was told so last."""
    goes_on: bool = False
    """Whether it is the next part of a conversation that was let in: it waits for its place and is not refused one."""
