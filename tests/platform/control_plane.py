"""RunPod's control plane on loopback: what a worker and a client of a queue endpoint talk to.

It runs in a thread of its own, hands jobs to workers, takes what they post, refuses what is over the platform's
limits, can be slow, drop connections and answer 429, and keeps all it saw. It knows nothing of speech.
"""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from uuid import uuid4

from aiohttp import web

from tests.platform.client_side import RUN_BYTES, STREAM_BYTES, SYNC_BYTES, ClientSide, Record

T = TypeVar("T")

POLL_SECONDS = 20.0


@dataclass(frozen=True)
class Post:
    """What a worker sent: `kind` is stream, done, take, take-batch, stop or ping; `status` what it was answered."""

    kind: str
    job: str
    bytes: int = 0
    body: Any = None
    status: int = 200
    at: float = field(default_factory=time.monotonic)
    """When it had arrived."""


class ControlPlane:
    endpoint = "ep"
    """The first of them."""

    def __init__(self, *endpoints: str) -> None:
        self.endpoints = endpoints or (self.endpoint,)
        self.endpoint = self.endpoints[0]
        self.client = ClientSide(self)
        self.records: dict[str, Record] = {}
        self.posts: list[Post] = []
        self._waiting: list[str] = []
        self._stops: dict[str, list[str]] = {}
        self._held: dict[str, asyncio.Event] = {}
        self._arrived: set[tuple[str, str]] = set()
        self._drops: dict[str, int] = {}
        self._failures: dict[str, list[int]] = {}
        self._takes: list[int] = []
        self._polls_end = 0
        self._loop = asyncio.new_event_loop()
        self._changed: asyncio.Condition
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()
        self.url = ""

    # The test's side: any thread.

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def environment(self, worker: str, endpoint: str = "") -> dict[str, str]:
        """What the platform puts into a worker's environment."""
        endpoint = endpoint or self.endpoint
        base = f"{self.url}/v2/{endpoint}"
        return {
            "RUNPOD_POD_ID": worker,
            "RUNPOD_ENDPOINT_ID": endpoint,
            "RUNPOD_AI_API_KEY": "loopback",
            "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
            "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID",
            "RUNPOD_PING_INTERVAL": "1000",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        }

    def submit(self, *inputs: dict[str, Any], sync: bool = False, **top: Any) -> list[str]:
        """Queues jobs in one go, so that a batch take sees them all."""
        return self._call(self.queue([{"input": given, **top} for given in inputs], sync, self.endpoint))

    def cancel(self, id: str) -> None:
        self._call(self.stop(id))

    def requeue(self, id: str) -> None:
        """As when a worker is lost: another one is to take the job."""
        self._call(self._requeue(id))

    def wait(self, *ids: str, seconds: float = 60.0) -> list[Record]:
        self.until(lambda: all(self.records[id].final for id in ids), seconds)
        return [self.records[id] for id in ids]

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Waits for what a worker does; the limit only ends a test that has failed."""
        self._call(self.wait_for(condition, seconds))

    def until_running(self, id: str) -> None:
        self.until(lambda: self.records[id].status == "IN_PROGRESS")

    def of(self, kind: str, job: str = "") -> list[Post]:
        return [post for post in self.posts if post.kind == kind and job in ("", post.job)]

    @contextlib.contextmanager
    def slow(self, kind: str) -> Iterator[None]:
        """Posts of this kind are answered when the block ends."""
        gate = asyncio.Event()
        self._held[kind] = gate
        try:
            yield
        finally:
            self._held.pop(kind, None)
            self._loop.call_soon_threadsafe(gate.set)

    def until_posting(self, kind: str, job: str) -> None:
        """A worker waits for the answer to such a post."""
        self.until(lambda: (kind, job) in self._arrived)

    def drop(self, kind: str, times: int = 1) -> None:
        """The next posts of this kind lose their connection before they count."""
        self._drops[kind] = times

    def fail(self, kind: str, *statuses: int) -> None:
        """The next posts of this kind are answered with these and do not count."""
        self._failures.setdefault(kind, []).extend(statuses)

    def refuse_takes(self, *statuses: int) -> None:
        """The next takes are answered with these."""
        self._takes.extend(statuses)

    def end_polls(self) -> None:
        """All open polls are answered with nothing to do."""
        self._call(self._end_polls())

    # The server's side: its own loop.

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _main(self) -> None:
        self._changed, self._over = asyncio.Condition(), asyncio.Event()
        app = web.Application(client_max_size=64_000_000)
        base = "/v2/{endpoint}"
        app.add_routes(
            [
                web.get(f"{base}/job-take/{{worker}}", self._take),
                web.get(f"{base}/job-take-batch/{{worker}}", self._take),
                web.get(f"{base}/job-stop/{{worker}}", self._stop),
                web.get(f"{base}/ping/{{worker}}", self._ping),
                web.post(f"{base}/job-stream/{{worker}}/{{id}}", self._on_stream),
                web.post(f"{base}/job-done/{{worker}}/{{id}}", self._on_done),
                *self.client.routes(),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        door = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, door).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._over.wait()
        await self._end_polls()
        self._loop.remove_reader(door)
        await _turns()  # asyncio forgets a connection that it takes in the turn in which its server is closed
        await runner.cleanup()
        await _turns()  # what was broken off is closed

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _saw(self, kind: str, job: str = "", bytes: int = 0, body: Any = None, status: int = 200) -> None:
        self.posts.append(Post(kind, job, bytes, body, status))
        await self.notify()

    async def queue(self, jobs: list[dict[str, Any]], sync: bool, endpoint: str) -> list[str]:
        ids = [f"{'sync-' if sync else ''}{uuid4()}-e1" for _ in jobs]
        for id, job in zip(ids, jobs, strict=True):
            self.records[id] = Record(id, {"id": id, **job}, sync, endpoint)
        self._waiting += ids
        await self.notify()
        return ids

    async def stop(self, id: str) -> None:
        record = self.records[id]
        if record.status == "IN_QUEUE":
            self._waiting.remove(id)
        elif record.status == "IN_PROGRESS":
            self._stops.setdefault(record.worker, []).append(id)
        record.status = record.status if record.final else "CANCELLED"
        await self.notify()

    async def _requeue(self, id: str) -> None:
        self.records[id].status = "IN_QUEUE"
        self._waiting.append(id)
        await self.notify()

    async def _end_polls(self) -> None:
        self._polls_end += 1
        await self.notify()

    async def _poll(self, ready: Callable[[], bool]) -> bool:
        """Holds a request open until there is something to say."""
        end = self._polls_end
        with contextlib.suppress(TimeoutError):
            await self.wait_for(lambda: ready() or self._polls_end != end or self._over.is_set(), POLL_SECONDS)
        return ready()

    # What a worker calls.

    async def _take(self, request: web.Request) -> web.StreamResponse:
        batch = int(request.query.get("batch_size", "0"))
        status = self._takes.pop(0) if self._takes else 200
        kind = "take-batch" if batch else "take"
        await self._saw(kind, status=status)
        if status != 200:
            return web.Response(status=status)
        gone = request.transport
        endpoint = request.match_info["endpoint"]
        if not await self._poll(lambda: bool(self._waiting_for(endpoint))) or gone is None or gone.is_closing():
            return web.Response(status=204)
        taken = [self.records[id] for id in self._waiting_for(endpoint)[: max(1, batch)]]
        self._waiting = [id for id in self._waiting if self.records[id] not in taken]
        for record in taken:
            record.status, record.worker = "IN_PROGRESS", request.match_info["worker"]
        await self.notify()
        jobs = [record.job for record in taken]
        return web.json_response(jobs if batch else jobs[0])

    async def _stop(self, request: web.Request) -> web.Response:
        worker = request.match_info["worker"]
        await self._saw("stop")
        if not await self._poll(lambda: bool(self._stops.get(worker))):
            return web.Response(status=204)
        return web.json_response({"jobsToStop": self._stops.pop(worker)})

    async def _ping(self, request: web.Request) -> web.Response:
        await self._saw("ping", request.query.get("job_id", ""), body=dict(request.query))
        return web.Response()

    async def _on_stream(self, request: web.Request) -> web.Response:
        return await self._posted(request, "stream", lambda _: STREAM_BYTES)

    async def _on_done(self, request: web.Request) -> web.Response:
        return await self._posted(request, "done", lambda record: SYNC_BYTES if record.sync else RUN_BYTES)

    async def _posted(self, request: web.Request, kind: str, limit: Callable[[Record], int]) -> web.Response:
        raw, id = await request.read(), request.match_info["id"]
        record = self.records[id]
        if self._drops.get(kind, 0) > 0:
            self._drops[kind] -= 1
            await self._saw(kind, id, len(raw), status=0)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if failures := self._failures.get(kind):
            status = failures.pop(0)
            await self._saw(kind, id, len(raw), status=status)
            return web.Response(status=status)
        if gate := self._held.get(kind):
            self._arrived.add((kind, id))
            await self.notify()
            await gate.wait()
            self._arrived.discard((kind, id))
        status = 200 if len(raw) <= limit(record) else 400
        body = json.loads(raw)
        if not record.final:
            self._keep(record, kind, body, status)
        await self._saw(kind, id, len(raw), body, status)
        return web.Response(status=status)

    def _keep(self, record: Record, kind: str, body: dict[str, Any], status: int) -> None:
        """A result over the limit is lost, and the job counts as completed all the same."""
        if kind == "stream" and status == 200:
            record.stream.append(body["output"])
            record.unread.append(body["output"])
        elif kind == "done" and status == 200:
            record.output, record.error = body.get("output"), body.get("error")
            record.status = "FAILED" if record.error else "COMPLETED"
        elif kind == "done":
            record.status = "COMPLETED"

    async def purge(self, endpoint: str) -> int:
        ids = self._waiting_for(endpoint)
        self._waiting = [id for id in self._waiting if id not in ids]
        for id in ids:
            del self.records[id]
        return len(ids)

    def _waiting_for(self, endpoint: str) -> list[str]:
        return [id for id in self._waiting if self.records[id].endpoint == endpoint]


async def _turns() -> None:
    """As many of the loop's as a connection takes to begin or to end."""
    for _ in range(5):
        await asyncio.sleep(0)
