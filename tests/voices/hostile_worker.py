"""A worker that is sent every hostile reference, one after the other, and speaks a job after each.

    python -m tests.voices.hostile_worker FOLDER      a row of JSON for each: name, wanted, found, seconds, megabytes

A process of its own, since what is measured is its memory: how far it rose above the worker's own while one
reference was dealt with, and the processor's seconds that it took.
"""

import asyncio
import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

from basics.errors import Failure
from tests.houses import done, standing
from tests.voices.hostile import Ground, cases
from tests.voices.web import serving
from voices.reference import take_in


async def run(folder: Path) -> None:
    with serving() as web:
        ground = Ground(folder / "ground", web)
        ground.root.mkdir()
        ground.lay()
        async with standing(folder / "house") as house:
            for case in cases():
                given = case.make(ground)
                ctypes.CDLL(None).malloc_trim(0)  # what making the file took is not the worker's
                Path("/proc/self/clear_refs").write_text("5")
                begun, before = time.process_time(), megabytes("VmRSS")
                found = await asyncio.to_thread(outcome, given, ground)
                row = {"seconds": round(time.process_time() - begun, 2), "megabytes": megabytes("VmHWM") - before}
                spoken = await done(house, {"text": "The next job.", "cache": False})
                row |= {"spoke": bool(spoken.data), "name": case.name, "wanted": case.code, "found": found}
                sys.stdout.write(json.dumps(row) + "\n")


def outcome(given: Any, ground: Ground) -> str:
    try:
        take_in(given, ground.places())
    except Failure as failure:
        return failure.code
    return "used"


def megabytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status[status.index(f"{name}:") + len(name) + 1 :].split()[0]) // 1024


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
