"""The sound of a finished job as a body: with ranges, at each reader's pace, and never whole in memory."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from basics.errors import Failure
from operations.hearing import Heard
from server.replies import STALL_SECONDS
from speech.formats import FORMATS


class Kept(FileResponse):
    """A file. A reader that takes no byte for long is let go."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def patiently(message: Message) -> None:
            async with asyncio.timeout(STALL_SECONDS):
                await send(message)

        after, self.background = self.background, None
        try:
            await super().__call__(scope, receive, patiently)
        except (TimeoutError, OSError):
            return
        finally:
            if after is not None:
                await asyncio.shield(after())


async def kept(heard: Heard, name: str) -> Response:
    """From this machine's disk, or by a redirect to where it is. Raises `not_found` where it has just been removed."""
    if heard.url:
        return RedirectResponse(heard.url, 307, {"Cache-Control": "no-store"})
    path, after = heard.path, None
    if path is None:
        path = await asyncio.to_thread(brought, heard)
        after = BackgroundTask(path.unlink, missing_ok=True)
    try:
        found = await asyncio.to_thread(os.stat, path)
    except OSError:
        raise Failure("not_found", "The sound of this job is no longer kept.") from None
    said = headers(heard, found.st_size)
    return Kept(path, 200, said, heard.content_type, after, f"{name}.{extension(heard)}", found, "inline")


def headers(heard: Heard, size: int) -> Mapping[str, str]:
    """The tag is the job's, wherever its sound is read from."""
    tag = hashlib.sha256(f"{heard.record.id} {size}".encode()).hexdigest()[:32]
    return {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}


def extension(heard: Heard) -> str:
    format = FORMATS.get(heard.record.format)
    return format.extension if format else "bin"


def brought(heard: Heard) -> Path:
    """From a bucket that signs nothing, onto this machine's disk. Blocks."""
    handle, name = tempfile.mkstemp(prefix="speech-")
    os.close(handle)
    path = Path(name)
    path.write_bytes(heard.read())
    return path
