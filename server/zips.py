"""Many files in one zip, packed while it is sent: neither its size nor their number costs memory or disk.

Sound is packed already, so that nothing is compressed. A file that is no longer kept leaves a note in its place.
"""

import asyncio
import contextlib
import zipfile
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from basics.errors import Failure
from operations.hearing import Heard
from server.kept import brought, extension

PIECE_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    """Without its extension."""
    sound: Heard | Failure


class Sink:
    """Where the zip is written to: holds what was not sent yet."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing lies behind it."""

    def close(self) -> None:
        """As little."""

    def taken(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


async def zipped(entries: AsyncIterable[Entry]) -> AsyncGenerator[bytes, None]:
    sink = Sink()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED)
    async for entry in entries:
        async for piece in _packed(entry, archive, sink):
            yield piece
    archive.close()
    yield sink.taken()


async def _packed(entry: Entry, archive: zipfile.ZipFile, sink: Sink) -> AsyncGenerator[bytes, None]:
    try:
        if isinstance(entry.sound, Failure):
            raise entry.sound
        with await asyncio.to_thread(_opened, entry.sound) as opened:
            file, size = opened
            info = zipfile.ZipInfo(f"{entry.name}.{extension(entry.sound)}", _when(entry.sound))
            info.file_size = size
            with archive.open(info, "w") as inside:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    inside.write(piece)
                    yield sink.taken()
    except (Failure, FileNotFoundError) as gone:
        why = gone.message if isinstance(gone, Failure) else "The sound of this job is no longer kept."
        archive.writestr(f"{entry.name}.txt", why)
    yield sink.taken()


def _opened(heard: Heard) -> "contextlib.AbstractContextManager[tuple[BinaryIO, int]]":
    path = heard.path
    if path is not None:
        return _reading(path.open("rb"))
    path = brought(heard)
    try:
        return _reading(path.open("rb"))
    finally:
        path.unlink()


@contextlib.contextmanager
def _reading(file: BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        yield file, size


def _when(heard: Heard) -> tuple[int, int, int, int, int, int]:
    made = datetime.fromtimestamp(heard.record.created, UTC)
    return made.year, made.month, made.day, made.hour, made.minute, made.second
