"""One line an event: its name and its numbers. Set up by the door, written through the standard `logging`.

    log.info("job", extra={"job": id, "seconds": 1.2})

Never the caller's text, an address with a query, a key or sound. An exception's message may quote the caller,
so a traceback is told as files, lines and types only.
"""

import json
import logging
import sys
import traceback
from typing import Any

from basics.errors import printable

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """JSON as RunPod's log viewer reads it on the platform, `key=value` for people."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in STANDARD}
        if record.exc_info and record.exc_info[1]:
            facts["raised"] = raised(record.exc_info[1])
        message = printable(record.getMessage())
        if self._as_json:
            line = {"requestId": facts.pop("job", None), "message": message, "level": record.levelname, **facts}
            return json.dumps(line, ensure_ascii=True, default=lambda value: type(value).__name__)
        return " ".join([record.levelname.lower(), message, *(f"{name}={_shown(facts[name])}" for name in facts)])


def set_up(level: str, *, as_json: bool) -> None:
    """Our own events from `level` on, everyone else's warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json=as_json))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger("worker").setLevel(level.upper())


def raised(error: BaseException) -> list[str]:
    """Where it was raised and what kind it is, the cause first; no message."""
    before = error.__cause__ or error.__context__
    frames = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)]
    return [*(raised(before) if before else ()), *frames, type(error).__name__]


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
