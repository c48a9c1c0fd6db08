"""A cold process of Chatterbox up to its first sound: imports, weights that no cache holds, first word.

`python -m bench start`, in the environment `modern`; `python -m bench.start FOLDER` over a folder of weights. Without
one it writes random weights of full size, 3.2 GB. Each round begins with the files driven out of the system's cache;
in turn with a round, the same files are read with nothing else to do, which is the disk's rate.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.pairs import Spread, table
from models.engine import Engine

ROUNDS = 5
BLOCK_BYTES = 8 << 20
PARTS = ("torch", "imports", "weights", "first_sound")
TEXT = "Good evening."


def main(given: str = "") -> str:
    if given:
        return _measured(Path(given))
    from tests.engines import tiny_chatterbox

    with tempfile.TemporaryDirectory() as scratch:
        return _measured(tiny_chatterbox.english(Path(scratch), full=True))


def _measured(folder: Path) -> str:
    from models.engines.chatterbox import Chatterbox

    files = [folder / name for name in Chatterbox.files]
    size = sum(file.stat().st_size for file in files)
    rates, starts = list[float](), list[dict[str, float]]()
    for _ in range(ROUNDS):
        rates.append(size / _read(files))
        _forget(files)
        done = subprocess.run(
            (sys.executable, "-m", "bench.start", "--cold", str(folder)), capture_output=True, text=True, check=True
        )
        starts.append(json.loads(done.stdout.splitlines()[-1]))
    loads = [size / (start["imports"] + start["weights"] + start["torch"]) for start in starts]
    shares = [load / rate for load, rate in zip(loads, rates, strict=True)]
    lines = [
        [part.replace("_", " ") + ", s", Spread.of([start[part] for start in starts]).told(digits=2)] for part in PARTS
    ]
    lines.append(["disk alone, MB/s", Spread.of(rates).told(1e-6)])
    lines.append(
        [
            "weights' bytes over torch, imports and weights together, of the disk's rate",
            Spread.of(shares).told(digits=2),
        ]
    )
    told = f"{size / 1e9:.2f} GB, {ROUNDS} rounds, load of the machine {os.getloadavg()[0]:.1f}"
    return f"{told}.\n\n{table(['', 'median [middle half]'], lines)}"


def cold(folder: Path) -> dict[str, float]:
    """Seconds, in a process that has done nothing yet. What `load` would import is imported before it, to be told
    apart; the files are read meanwhile, as `load` has it."""
    stamps = [time.perf_counter()]
    from models.ahead import read_ahead
    from models.engines.chatterbox import Chatterbox

    read_ahead(folder / name for name in Chatterbox.files)
    early = time.perf_counter() - stamps[0]
    import torch  # type: ignore[import-not-found,unused-ignore]  # noqa: F401

    stamps.append(time.perf_counter() - early)
    from models.engines import chatterbox_deck  # noqa: F401
    from models.engines.chatterbox_upstream import lean

    with lean():
        from chatterbox.models import s3gen, voice_encoder  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    stamps.append(time.perf_counter())
    engine = Chatterbox.load(folder, "cpu", "")
    stamps.append(time.perf_counter())
    asyncio.run(_first(engine))
    stamps.append(time.perf_counter())
    return {part: then - now for part, now, then in zip(PARTS, stamps[:-1], stamps[1:], strict=True)}


async def _first(engine: Engine) -> None:
    from basics.clock import SystemClock
    from models.engine import Line
    from models.listener import Listener
    from models.resident import Resident
    from models.scheduler import Rules
    from voices.voice import Voice

    voice = engine.prepare(Voice("default", "preset", "default"))
    line = Line("first", TEXT, "en", voice, engine.Options(), 1, longest=30.0)
    resident = Resident(engine, 1, SystemClock(), Rules(), lambda: None, engine.card)
    try:
        async for piece in resident.speak(line, Listener("stream")):
            if len(piece.samples):
                return
    finally:
        resident.close()


def _read(files: list[Path]) -> float:
    """Seconds, one after the other, from an empty cache."""
    _forget(files)
    block, began = bytearray(BLOCK_BYTES), time.perf_counter()
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.readinto(block):
                pass
    return time.perf_counter() - began


def _forget(files: list[Path]) -> None:
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cold"]:
        print(json.dumps(cold(Path(sys.argv[2]))))
    else:
        print(main(*sys.argv[1:]))
