"""Recordings that come as files of a form. They wait on disk; in memory are no more at once than there is room for.

A file's name is never a path here: at most it suggests what a voice may be called.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection

from basics.errors import Failure

AT_ONCE = 4
"""Of the largest recordings. Many more of the usual ones."""


class Room:
    """So many bytes; whoever wants more than are left waits."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            self._left += size
            await asyncio.shield(self._told())

    async def _told(self) -> None:
        async with self._freed:
            self._freed.notify_all()


@asynccontextmanager
async def recording(connection: HTTPConnection, file: UploadFile, field: str) -> AsyncIterator[str]:
    """As an operation takes it. Its memory is given back at the end of the block."""
    settings = connection.app.state.settings
    most_bytes = round(settings.reference_mb * 1e6)
    size = file.size or 0
    if size > most_bytes:
        raise Failure("reference_too_large", f"`{field}` is over {settings.reference_mb:g} MB.", field=field)
    if not size:
        raise Failure("invalid_input", f"`{field}` is an empty file.", field=field)
    async with connection.app.state.uploads.of(size):
        yield await asyncio.to_thread(_read, file)


def _read(file: UploadFile) -> str:
    file.file.seek(0)
    return base64.b64encode(file.file.read()).decode()
