"""A worker on a control plane in the test's own loop: takes jobs, runs our handler, posts what it yields, is stopped.

It does what the SDK's loop does, so that a test can look into the house behind it. The SDK's own is in `worker.py`.
"""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp

from operations.opening import Answer
from operations.queue import Talk, job_of
from tests.platform.control_plane import ControlPlane


@asynccontextmanager
async def working(plane: ControlPlane, answer: Answer, endpoint: str = "") -> AsyncIterator["Inside"]:
    async with aiohttp.ClientSession() as session:
        inside = Inside(plane, answer, session, endpoint or plane.endpoint)
        loops = [asyncio.ensure_future(inside.take()), asyncio.ensure_future(inside.listen())]
        try:
            yield inside
        finally:
            for task in [*loops, *inside.jobs.values()]:
                task.cancel()
            await asyncio.gather(*loops, *inside.jobs.values(), return_exceptions=True)


class Inside:
    def __init__(self, plane: ControlPlane, answer: Answer, session: aiohttp.ClientSession, endpoint: str) -> None:
        self.jobs: dict[str, asyncio.Task[None]] = {}
        self._answer, self._session = answer, session
        self._base, self._name = f"{plane.url}/v2/{endpoint}", f"inside-{id(self):x}"

    async def take(self) -> None:
        while True:
            async with self._session.get(f"{self._base}/job-take/{self._name}") as reply:
                if reply.status == 200:
                    job = await reply.json()
                    task = asyncio.ensure_future(self._run(job))
                    self.jobs[job["id"]] = task
                    task.add_done_callback(partial(self._over, str(job["id"])))

    def _over(self, id: str, _: "asyncio.Task[None]") -> None:
        self.jobs.pop(id, None)

    async def listen(self) -> None:
        while True:
            async with self._session.get(f"{self._base}/job-stop/{self._name}") as reply:
                if reply.status == 200:
                    for id in (await reply.json())["jobsToStop"]:
                        self.kill(id)

    def kill(self, id: str) -> None:
        """Without a word to the platform, as when the worker dies."""
        if id in self.jobs:
            self.jobs[id].cancel()

    async def _run(self, raw: dict[str, Any]) -> None:
        job = job_of(raw)
        kept: list[dict[str, Any]] = []
        result: dict[str, Any] = {"output": kept}
        try:
            async with aclosing(Talk(self._answer(job)).posts()) as posts:
                async for post in posts:
                    if post.failed:
                        result = post.payload
                        break
                    await self._post("job-stream", job.id, {"output": post.payload})
                    if post.last:
                        kept.append(post.complete())
        finally:
            job.cancel.set()
        await self._post("job-done", job.id, result)

    async def _post(self, kind: str, id: str, body: dict[str, Any]) -> None:
        data = io.BytesIO(json.dumps(body).encode())
        with contextlib.suppress(aiohttp.ClientError):
            async with self._session.post(f"{self._base}/{kind}/{self._name}/{id}", data=data):
                pass


Condition = Callable[[], bool]


async def until(condition: Condition, seconds: float = 60.0) -> None:
    """Looks again and again: for what tells nobody that it has come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
