"""How the worker is: health, cards, and warming a model before it is needed."""

import asyncio
import platform
from collections.abc import AsyncGenerator
from dataclasses import asdict
from importlib import metadata
from typing import Any

from basics.events import Done, Event
from basics.graphics import gpus
from basics.version import VERSION
from operations.house import House
from operations.inputs import Input
from operations.job import Job

PARTS = ("runpod", "numpy", "onnxruntime", "av", "pydantic", "boto3", "torch", "transformers")


class WarmInput(Input):
    model: str | None = None


async def health(job: Job, house: House) -> AsyncGenerator[Event, None]:
    Input.parse(job.input)
    residents = house.manager.residents()
    yield Done(
        {
            "status": "ready" if residents else "idle",
            "residents": residents,
            "queue": {"jobs": len(house.running), "lines": sum(info["lines"] for info in residents)},
            "capacity": house.manager.capacity(),
            "cold_start": house.manager.cold_start(),
            "loop_lag": round(house.lag.worst, 4),
            "figures": house.metrics.told(),
            "history": house.history.state(),
            "versions": versions(),
        }
    )


async def gpu(job: Job, house: House) -> AsyncGenerator[Event, None]:
    Input.parse(job.input)
    yield Done({"gpus": [asdict(card) for card in await asyncio.to_thread(gpus)]})


async def warm(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = WarmInput.parse(job.input)
    entry = house.catalogue.find(asked.model or house.catalogue.default.id)
    yield Done({"model": entry.id, "seconds": round(await house.manager.warm(entry.id), 3)})


def versions() -> dict[str, Any]:
    """The worker's own, the interpreter's, and of each part that is installed."""
    found = {"worker": VERSION, "python": platform.python_version()}
    for part in PARTS:
        try:
            found[part] = metadata.version(part)
        except metadata.PackageNotFoundError:
            continue
    return found
