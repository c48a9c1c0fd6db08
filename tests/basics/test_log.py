"""Lines of the log: facts as fields, and nothing that an exception quotes."""

import json
import logging
import sys

import pytest

from basics.log import Lines


def record(message: str, error: BaseException | None = None, **facts: object) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.getLogger("worker.x").makeRecord("worker.x", 20, "f", 1, message, (), info, extra=dict(facts))
    assert isinstance(made, logging.LogRecord)
    return made


def test_on_the_platform_a_line_is_json_that_names_the_job() -> None:
    line = Lines(as_json=True).format(record("job", job="7", seconds=0.5))
    assert json.loads(line) == {"requestId": "7", "message": "job", "level": "INFO", "seconds": 0.5}


def test_for_people_a_line_is_a_name_and_its_values() -> None:
    assert Lines(as_json=False).format(record("job", seconds=0.5, model="m")) == "info job seconds=0.500 model=m"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_says_where_and_what_kind_but_not_what_was_said(as_json: bool) -> None:
    try:
        try:
            raise KeyError("private words")
        except KeyError as cause:
            raise ValueError("more private words") from cause
    except ValueError as raised:
        line = Lines(as_json=as_json).format(record("broke", raised))
    assert "KeyError" in line
    assert "ValueError" in line
    assert "test_log.py" in line
    assert "private" not in line
    assert "\n" not in line
    assert sys.exc_info() == (None, None, None)


def test_a_lone_surrogate_does_not_break_the_log() -> None:
    for as_json in (True, False):
        Lines(as_json=as_json).format(record("a\ud800", voice="b\ud800")).encode()
