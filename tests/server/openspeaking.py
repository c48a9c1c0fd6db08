"""What a client of OpenSpeakers does, for tests: asks, polls until the end, and listens on sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from models.engines.tone import Score
from tests.server.served import served

ASKED = {"model_id": "tone", "voice_id": "low", "text": "Good morning, and welcome to all of you."}
LONG = "This is one more sentence of many. " * 200
ENDED = ("complete", "failed", "cancelled")


def serving(folder: Path, score: Score | None = None, **environment: str) -> Any:
    """With a history, which jobs over HTTP stand on."""
    return served(folder, score, MODE="http", SHUTDOWN_SECONDS="1", **environment)


async def accepted(client: httpx.AsyncClient, **asked: Any) -> str:
    answer = await client.post("/api/tts/generate", json=ASKED | asked)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending"), answer.text
    return str(answer.json()["job_id"])


async def ended(client: httpx.AsyncClient, id: str, within_seconds: float = 60.0) -> dict[str, Any]:
    """As their own client does: asks again and again."""
    async with asyncio.timeout(within_seconds):
        while True:
            job: dict[str, Any] = (await client.get(f"/api/tts/jobs/{id}")).json()
            if job["status"] in ENDED:
                return job
            await asyncio.sleep(0.02)


async def spoken(client: httpx.AsyncClient, **asked: Any) -> str:
    id = await accepted(client, **asked)
    assert (await ended(client, id))["status"] == "complete"
    return id


@asynccontextmanager
async def socket(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[ClientConnection]:
    address = str(client.base_url).replace("http", "ws", 1).rstrip("/") + path
    async with connect(address, additional_headers=headers, proxy=None) as opened:
        yield opened


async def everything(client: httpx.AsyncClient, id: str) -> list[dict[str, Any]]:
    """What one watcher is told, from whenever it comes to the end."""
    async with socket(client, f"/ws/jobs/{id}") as opened, asyncio.timeout(60):
        return [json.loads(message) async for message in opened]
