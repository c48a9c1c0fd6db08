"""A job as the house sees it, whichever door it came through."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any


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
    wide: bool = False
    """Whether its door carries an inline file of any size; RunPod's queue does not."""
