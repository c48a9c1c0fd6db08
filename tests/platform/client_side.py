"""What a client of an endpoint calls on the control plane: as the platform answers, limits included, and what a test
makes go wrong. A test may refuse a call by its kind, lose its answer, or hold it: run, runsync,
status, stream, cancel, health, purge.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

RUN_BYTES, SYNC_BYTES, STREAM_BYTES = 10_000_000, 20_000_000, 1_000_000
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
WINDOW_SECONDS = 10.0
LIMITS = {"run": 1000, "runsync": 2000, "status": 2000, "stream": 2000, "cancel": 100, "purge": 2}
"""Calls in the window."""


@dataclass
class Record:
    """One job as the platform keeps it."""

    id: str
    job: dict[str, Any]
    sync: bool
    endpoint: str = "ep"
    status: str = "IN_QUEUE"
    worker: str = ""
    output: Any = None
    error: str | None = None
    stream: list[Any] = field(default_factory=list)
    unread: list[Any] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.status in FINAL


class Plane(Protocol):
    """What this needs of the control plane."""

    endpoints: tuple[str, ...]
    records: dict[str, Record]

    async def notify(self) -> None: ...
    async def queue(self, jobs: list[dict[str, Any]], sync: bool, endpoint: str) -> list[str]: ...
    async def stop(self, id: str) -> None: ...
    async def purge(self, endpoint: str) -> int: ...
    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None: ...


class ClientSide:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self.calls: Counter[str] = Counter()
        """How often each kind was called, whatever became of it."""
        self.delay = 0.0
        """Seconds that each call takes on its way, as an emulated round trip."""
        self._refusals: dict[str, list[int]] = {}
        self._lost: Counter[str] = Counter()
        self._held: set[str] = set()
        self._recent: dict[str, list[float]] = {}

    def routes(self) -> list[web.AbstractRouteDef]:
        base = "/v2/{endpoint}"
        return [
            web.post(f"{base}/run", self._kind("run", self._run)),
            web.post(f"{base}/runsync", self._kind("runsync", self._runsync)),
            web.get(f"{base}/status/{{id}}", self._kind("status", self._status)),
            web.get(f"{base}/stream/{{id}}", self._kind("stream", self._stream)),
            web.post(f"{base}/cancel/{{id}}", self._kind("cancel", self._cancel)),
            web.get(f"{base}/health", self._kind("health", self._health)),
            web.post(f"{base}/purge-queue", self._kind("purge", self._purge)),
        ]

    def refuse(self, kind: str, *statuses: int) -> None:
        """The next calls of this kind are answered with these and do nothing."""
        self._refusals.setdefault(kind, []).extend(statuses)

    def lose(self, kind: str, times: int = 1) -> None:
        """The next calls of this kind do what they do, and their answers never arrive. Of looks at a stream, those
        that would have brought something."""
        self._lost[kind] += times

    def hold(self, kind: str) -> None:
        """Calls of this kind are done at once and never answered."""
        self._held.add(kind)

    def _kind(self, kind: str, handle: Any) -> Any:
        async def handled(request: web.Request) -> web.Response:
            self.calls[kind] += 1
            await self._plane.notify()
            await asyncio.sleep(self.delay)
            if refusals := self._refusals.get(kind):
                return web.Response(status=refusals.pop(0))
            refused = self._refused(kind, request)
            if refused is not None:
                return refused
            response: web.Response = await handle(request)
            if kind in self._held:
                await asyncio.Event().wait()
            empty = kind == "stream" and '"stream": []' in (response.text or "")
            if self._lost[kind] and not empty and request.transport is not None:
                self._lost[kind] -= 1
                request.transport.abort()
            return response

        return handled

    def _refused(self, kind: str, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != "Bearer loopback":
            return web.Response(status=401)
        if request.match_info["endpoint"] not in self._plane.endpoints:
            return web.Response(status=404)
        now = asyncio.get_running_loop().time()
        recent = [at for at in self._recent.get(kind, []) if now - at < WINDOW_SECONDS]
        self._recent[kind] = [*recent, now]
        return web.Response(status=429) if len(recent) >= LIMITS.get(kind, 2000) else None

    async def _run(self, request: web.Request) -> web.Response:
        return await self._accept(request, RUN_BYTES, sync=False)

    async def _runsync(self, request: web.Request) -> web.Response:
        response = await self._accept(request, SYNC_BYTES, sync=True)
        if response.status != 200:
            return response
        record = self._plane.records[json.loads(response.text or "")["id"]]
        wait = float(request.query.get("wait", "90000")) / 1000
        with contextlib.suppress(TimeoutError):
            await self._plane.wait_for(lambda: record.final, wait)
        return web.json_response(_view(record))

    async def _accept(self, request: web.Request, limit: int, *, sync: bool) -> web.Response:
        raw = await request.read()
        if len(raw) > limit:
            return web.Response(status=400)
        [id] = await self._plane.queue([json.loads(raw)], sync, request.match_info["endpoint"])
        return web.json_response({"id": id, "status": "IN_QUEUE"})

    def _record(self, request: web.Request) -> Record:
        record = self._plane.records.get(request.match_info["id"])
        if record is None or record.endpoint != request.match_info["endpoint"]:
            raise web.HTTPNotFound
        return record

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(_view(self._record(request)))

    async def _stream(self, request: web.Request) -> web.Response:
        """What came since the last asking. Nobody else reads it."""
        record = self._record(request)
        chunks, record.unread = record.unread, []
        return web.json_response({"status": record.status, "stream": [{"output": chunk} for chunk in chunks]})

    async def _cancel(self, request: web.Request) -> web.Response:
        record = self._record(request)
        await self._plane.stop(record.id)
        return web.json_response({"id": record.id, "status": record.status})

    async def _health(self, request: web.Request) -> web.Response:
        names = {"COMPLETED": "completed", "FAILED": "failed", "IN_PROGRESS": "inProgress", "IN_QUEUE": "inQueue"}
        records = [each for each in self._plane.records.values() if each.endpoint == request.match_info["endpoint"]]
        jobs = {name: sum(record.status == status for record in records) for status, name in names.items()}
        busy = {record.worker for record in records if record.status == "IN_PROGRESS"}
        seen = {record.worker for record in records if record.worker}
        workers = {"idle": len(seen - busy), "running": len(busy)}
        return web.json_response({"jobs": {**jobs, "retried": 0}, "workers": workers})

    async def _purge(self, request: web.Request) -> web.Response:
        removed = await self._plane.purge(request.match_info["endpoint"])
        return web.json_response({"removed": removed, "status": "completed"})


def _view(record: Record) -> dict[str, Any]:
    view = {"id": record.id, "status": record.status, "delayTime": 1, "executionTime": 1}
    if record.output is not None:
        view["output"] = record.output
    return view | ({"error": record.error} if record.error else {})
