"""(b) The same through the SDK's own loop, and (c) from a cold process, each against a worker that only echoes.

A control plane on loopback hands out jobs and takes what comes back. The echo is a worker of the SDK alone whose
generator yields at once: what it takes is the SDK's. Ours speaks a short sentence.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from bench.pairs import Pairs, in_turn, table
from tests.platform.control_plane import ControlPlane
from tests.platform.worker import ROOT, Worker

SPOKEN = {"text": "The harbour was quiet when the first boats came in.", "delivery": "stream", "format": "pcm"}
COLD_ROUNDS = 15


def posted(plane: ControlPlane, asked: dict[str, Any], began: float) -> list[float]:
    """Seconds to the first post with sound (the echo's first of any kind), and to the end."""
    (id,) = plane.submit(asked)
    plane.wait(id)
    streamed = [post for post in plane.of("stream", id) if post.body["output"].get("event") in ("audio", "echo")]
    return [streamed[0].at - began, plane.of("done", id)[0].at - began]


async def warm() -> list[Pairs]:
    with ControlPlane() as ours, ControlPlane() as theirs:
        with Worker(ours, script=ROOT / "handler.py"), Worker(theirs, script=Path(__file__).with_name("echo.py")):

            async def one(plane: ControlPlane) -> list[float]:
                return await asyncio.to_thread(posted, plane, SPOKEN, time.monotonic())

            return await in_turn(lambda: one(ours), lambda: one(theirs))


async def cold() -> list[Pairs]:
    async def one(script: Path) -> list[float]:
        with ControlPlane() as plane:
            began = time.monotonic()
            with Worker(plane, script=script):
                return await asyncio.to_thread(posted, plane, SPOKEN, began)

    handler, echo = ROOT / "handler.py", Path(__file__).with_name("echo.py")
    return await in_turn(lambda: one(handler), lambda: one(echo), COLD_ROUNDS)


def main(cold_too: bool = True) -> str:
    rows = [row("warm", asyncio.run(warm()))]
    if cold_too:
        rows.append(row("from a cold process", asyncio.run(cold())))
    heads = ["", "first audio, ms", "echo's first, ms", "ms more", "certain", "done, ms more"]
    return table(heads, rows)


def row(name: str, pairs: list[Pairs]) -> list[str]:
    first, done = pairs
    return [
        name,
        spread(first.ours),
        spread(first.theirs),
        first.difference.told(1000),
        "yes" if first.certain else "no",
        done.difference.told(1000),
    ]


def spread(figures: list[float]) -> str:
    from bench.pairs import Spread

    return Spread.of(figures).told(1000)


if __name__ == "__main__":
    sys.stdout.write(main() + "\n")
