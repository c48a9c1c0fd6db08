"""The door with a made-up house behind it: does what a job's input says, and tells on stdout what became of it.

    python tests/platform/fake_worker.py [--as-sdk 9.9.9] [--alone] [arguments of handler.py]

`--alone` is a worker of the SDK without our door.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import handler
from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Progress, Started
from basics.settings import Settings
from operations.job import Job
from operations.opening import Opened


def tell(what: str, job: Job) -> None:
    sys.stdout.write(json.dumps({"told": what, "job": job.id}) + "\n")
    sys.stdout.flush()


async def answer(job: Job) -> AsyncGenerator[Event, None]:
    """`do`: file, stream, wait, fail, raise, huge or keep_going."""
    tell("begun", job)
    try:
        async for event in play(job, job.input):
            yield event
        tell("ended", job)
    finally:
        await asyncio.sleep(0)
        tell("closed", job)


async def play(job: Job, asked: dict[str, Any]) -> AsyncGenerator[Event, None]:
    data = bytes(asked.get("bytes", 0))
    match asked["do"]:
        case "file":
            yield Progress(1, 2, 30.0)
            yield Done({"audio": {"format": "wav", "bytes": len(data)}, "s3": job.s3}, data)
        case "stream":
            yield Started("made-up", "nobody", "en", 24_000, "wav", asked["chunks"], 10)
            for seq in range(asked["chunks"]):
                yield Audio(seq, data, seq * 1.0, 1.0, f"part {seq}")
            yield Done({"audio": {"format": "wav", "bytes": len(data) * asked["chunks"]}})
        case "wait":
            yield Started("made-up", "nobody", "en", 24_000, "wav", 1, 10)
            await asyncio.Event().wait()
        case "until":
            await asyncio.to_thread(appeared, Path(asked["file"]))
            yield Done({"waited": True})
        case "surrogate":
            yield Done({"text": "a\ud800b", "rate": float("nan"), "raw": b"\xff"})
        case "fail":
            yield Failed(Failure("unknown_voice", "There is no voice `x`.", field="voice"))
        case "raise":
            raise RuntimeError("secret /path")


def appeared(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)


async def opened(settings: Settings, *, default: bool = True) -> Opened:
    if code := os.environ.get("FAKE_START"):
        raise Failure(code, "The house did not open.")

    async def close() -> None:
        sys.stdout.write(json.dumps({"told": "house closed"}) + "\n")

    return Opened(answer, close)


def alone() -> int:
    """A worker of the SDK without our door."""
    import runpod  # type: ignore[import-untyped]

    async def handler(job: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        async for _ in answer(Job(job["id"], job["input"])):
            yield {"answered": True}

    watching: list[asyncio.Task[None]] = []

    def places(_: int) -> int:
        if not watching:
            watching.append(asyncio.get_running_loop().create_task(watch()))
        return 4

    runpod.serverless.start({"handler": handler, "return_aggregate_stream": True, "concurrency_modifier": places})
    return 0


async def watch() -> None:
    """Says when the SDK no longer looks for jobs to run."""
    await asyncio.wait([task for task in asyncio.all_tasks() if "run_jobs" in str(task.get_coro())])
    sys.stdout.write("nobody runs jobs\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    sdk = ""
    if arguments[:1] == ["--as-sdk"]:
        sdk, arguments = arguments[1], arguments[2:]
    if arguments == ["--alone"]:
        return alone()
    return handler.main(arguments, opened=opened, sdk=sdk)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
