"""A job's events as lines of JSON on one response, for clients that would rather listen than ask again and again.

The objects are those of RunPod's queue, the answer with its file. A line without anything says that it goes on.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from basics.errors import Failure
from operations.job import Job
from operations.queue import Post
from server.desk import talking
from server.executor import Executor

MEDIA_TYPE = "application/x-ndjson"
QUIET_SECONDS = 15.0
"""After which a line without anything is sent, so that no proxy takes the connection for idle."""
FIRST_SECONDS = 1.0
"""In which a job that there is no place for is refused; whoever waits longer is answered with a line."""


async def lines(executor: Executor, job: Job) -> AsyncGenerator[bytes, None]:
    """The first is not before something was said or a second has passed. Raises `busy` instead of it."""
    async with talking(executor.perform(job)) as (talk, posts):
        coming = asyncio.ensure_future(_next(posts))
        wait = FIRST_SECONDS
        try:
            while True:
                await asyncio.wait({coming}, timeout=wait)
                if not coming.done():
                    yield b"\n"
                    wait = QUIET_SECONDS
                    continue
                post = coming.result()
                if post is None or post.failed:
                    return
                if talk.outcome == "busy" and wait == FIRST_SECONDS:
                    raise Failure("busy", str(post.payload["message"]))
                yield _line(post.complete() if post.last else post.payload)
                wait = QUIET_SECONDS
                coming = asyncio.ensure_future(_next(posts))
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await coming


async def _next(posts: AsyncGenerator[Post, None]) -> Post | None:
    return await anext(posts, None)


def _line(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
