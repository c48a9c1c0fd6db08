"""OpenSpeakers' view of the machine: whether it is up, and its cards, once or each second.

The cards are those of the machine that the server runs on; a gateway in front of endpoints mostly has none.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette

from basics.errors import Failure
from basics.graphics import GIB, Gpu, gpus
from server import keys
from server.asking import executor_of
from server.dialects.openspeakers.shapes import routes
from server.sockets import Message, refuse, tell

router = routes("system", "/api/system")
sockets = APIRouter(tags=["OpenSpeakers: system"])

GPU_SECONDS = 1.0
GB, MIB = 1e9, 2**20


class Health(BaseModel):
    status: str


class Load(BaseModel):
    utilization_pct: int | None
    temperature_c: int | None
    memory_used_mb: int
    memory_total_mb: int


class Card(BaseModel):
    available: bool
    device_id: int | None = None
    device_name: str | None = None
    vram_total_gb: float | None = None
    vram_used_gb: float | None = None
    nvidia_smi: Load | None = None


class Cards(Card):
    """The one that GPU_DEVICE_ID names, and all."""

    gpus: list[Card]


@router.get("/health", summary="ok, or loading")
async def health(request: Request) -> Health:
    readiness = await executor_of(request).readiness()
    if readiness.failure is not None:
        raise readiness.failure
    return Health(status="ok" if readiness.ready else "loading")


@router.get("/gpu", summary="This machine's cards")
async def gpu(request: Request) -> Cards:
    return await reading(request.app)


@sockets.websocket("/ws/gpu")
async def watched(socket: WebSocket) -> None:
    await socket.accept()
    try:
        keys.admitted(socket)
    except Failure as failure:
        await refuse(socket, {"type": "error", **failure.as_dict()})
        return
    await tell(socket, readings(socket.app))


async def readings(app: Starlette) -> AsyncGenerator[Message, None]:
    """The newest only: a client that is behind misses what it was too slow for."""
    while True:
        yield {"type": "gpu_stats", "gpu": (await reading(app)).model_dump()}
        await asyncio.sleep(GPU_SECONDS)


async def reading(app: Starlette) -> Cards:
    """At most one a second, however many ask."""
    gauge: Gauge | None = getattr(app.state, "gauge", None)
    if gauge is None:
        gauge = app.state.gauge = Gauge(app.state.settings.gpu_device_id)
    return await gauge.read()


class Gauge:
    def __init__(self, device: int) -> None:
        self._device = device
        self._reading = asyncio.Lock()
        self._last: Cards | None = None
        self._at = 0.0

    async def read(self) -> Cards:
        async with self._reading:
            if self._last is None or time.monotonic() - self._at >= GPU_SECONDS / 2:
                self._last = shown(await asyncio.to_thread(gpus), self._device)
                self._at = time.monotonic()
            return self._last


def shown(found: list[Gpu], device: int) -> Cards:
    cards = [card(each) for each in found]
    ours: dict[str, Any] = next((each.model_dump() for each in cards if each.device_id == device), {"available": False})
    return Cards(**ours, gpus=cards)


def card(gpu: Gpu) -> Card:
    used, total = gpu.used_gb * GIB, gpu.memory_gb * GIB
    return Card(
        available=True,
        device_id=gpu.index,
        device_name=gpu.name,
        vram_total_gb=round(total / GB, 2),
        vram_used_gb=round(used / GB, 2),
        nvidia_smi=Load(
            utilization_pct=gpu.utilisation,
            temperature_c=gpu.temperature,
            memory_used_mb=round(used / MIB),
            memory_total_mb=round(total / MIB),
        ),
    )
