import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.errors import CODES, Failure
from listening.activity import Levels
from tests.voices.hostile import Case, Ground, cases
from tests.voices.hostile_files import files
from tests.voices.speaking import repeated, speech
from tests.voices.web import serving
from voices.reference import take_in

CASES = cases()
MOST_MEGABYTES = 500


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with serving() as web:
        yield Ground(tmp_path, web).lay()


def test_there_are_at_least_sixty_and_no_two_are_called_the_same() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def outcome(given: Any, ground: Ground) -> tuple[str, str, str | None]:
    """What it got, what was said of it, and the field that was named."""
    try:
        reference = take_in(given, ground.places(), activity=Levels())
    except Failure as failure:
        return failure.code, f"{failure.message} {failure.hint}", failure.field
    assert reference.quality.speech_seconds >= 2
    assert abs(reference.samples).max() <= 1
    return "used", " ".join(reference.quality.warnings), "reference"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_gets_its_code_or_is_used_with_a_word_of_warning(case: Case, ground: Ground) -> None:
    given = case.make(ground)
    found, said, field = outcome(given, ground)
    assert found in {"used", *CODES}
    assert field is not None
    assert field.startswith("reference")
    assert (found, case.says in said) == (case.code, True), said
    assert str(ground.root) not in said
    assert not ground.marker.exists()
    assert all(path != "/stolen.ts" for path, _ in ground.web.asked)


WORST = (
    "three hours of silent FLAC",
    "three hours of silent Opus",
    "ten minutes of eight silent channels at 192 kHz",
    "zip bomb",
    "ffconcat of a file",
)

ALONE = """
import base64, pathlib, re, sys
from basics.errors import Failure
from voices.reference import take_in
from voices.sources import Places
given = base64.b64encode(open(sys.argv[1], "rb").read()).decode()
try:
    take_in(given, Places())
    print("used", end=" ")
except Failure as failure:
    print(failure.code, end=" ")
# Not ru_maxrss: that begins with what the parent held when it forked.
print(int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024)
"""


def alone(file: Path) -> tuple[str, int]:
    """In a process of its own: what it got, and the most memory that took, in megabytes."""
    done = subprocess.run([sys.executable, "-c", ALONE, file], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    code, megabytes = done.stdout.split()
    return code, int(megabytes)


RISE_MEGABYTES = 250
"""Above a worker's own, whose 250 are part of what is allowed."""
MOST_SECONDS = 5.0
"""Of the processor: this machine may be busy with others."""


@pytest.mark.slow
def test_each_ends_within_its_time_and_memory_and_the_worker_speaks_the_next_job(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.voices.hostile_worker", str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280).stdout
    rows = [json.loads(line) for line in told.splitlines()]
    assert [row["name"] for row in rows] == [case.name for case in CASES]
    assert [row for row in rows if row["found"] != row["wanted"] or not row["spoke"]] == []
    assert [row for row in rows if row["seconds"] > MOST_SECONDS or row["megabytes"] > RISE_MEGABYTES] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WORST)
def test_the_worst_of_them_stay_within_memory(name: str, tmp_path: Path) -> None:
    make, code = next((make, code) for known, make, code, _ in files() if known == name)
    (tmp_path / "bomb").write_bytes(make())
    found, megabytes = alone(tmp_path / "bomb")
    assert found == code
    assert megabytes < MOST_MEGABYTES


@pytest.mark.slow
def test_the_longest_recording_that_is_allowed_stays_within_memory(tmp_path: Path) -> None:
    part = np.repeat(speech(), 2)[None]
    (tmp_path / "long").write_bytes(repeated(part, 585, "ogg", "libopus", 48_000))
    found, megabytes = alone(tmp_path / "long")
    assert found == "used"
    assert megabytes < MOST_MEGABYTES
