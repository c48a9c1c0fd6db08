"""A worker of the SDK alone: it answers each job at once. What it takes is what the SDK takes."""

import os
from collections.abc import AsyncGenerator
from typing import Any

os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")

import runpod  # type: ignore[import-untyped]


async def echo(job: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    yield {"event": "echo"}


if __name__ == "__main__":
    runpod.serverless.start({"handler": echo, "concurrency_modifier": lambda _: 4, "return_aggregate_stream": True})
