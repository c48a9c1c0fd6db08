"""What one job said, from its first event on, for any number of watchers at any time.

Sound goes to a file on the machine's disk as it comes, so that neither a slow watcher nor one that comes late costs
memory: each holds a place on the tape and no more. Used on one event loop.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

from basics.events import Audio, Done, Event, Failed
from speech.riff import HEAD_BYTES, sized


@dataclass(frozen=True, slots=True)
class _Spot:
    """One event without its sound, and where on the file that is."""

    event: Event
    start: int = 0
    size: int = 0


class Tape:
    def __init__(self) -> None:
        self.ended = False
        self.bytes = 0
        """Of sound."""
        self._spots: list[_Spot] = []
        self._more = asyncio.Event()
        self._file: int | None = None
        self._path: Path | None = None

    def __len__(self) -> int:
        return len(self._spots)

    def put(self, event: Event) -> None:
        """After `Done` or `Failed` nothing more is taken. An inlined file is kept as the job's sound."""
        if self.ended:
            return
        if isinstance(event, Audio):
            self._spots.append(_Spot(replace(event, data=b""), self.bytes, len(event.data)))
            self._write(event.data)
        elif isinstance(event, Done):
            if event.data is not None:
                self._write(event.data)
            self._seal()
            self._spots.append(_Spot(replace(event, data=None)))
        else:
            self._spots.append(_Spot(event))
        self.ended = isinstance(event, Done | Failed)
        self._more.set()
        self._more = asyncio.Event()

    def restart(self) -> None:
        """The job begins anew. Who watches goes on at the number of the event that they were at."""
        self._spots.clear()
        self.bytes = 0
        if self._file is not None:
            os.ftruncate(self._file, 0)

    async def play(self, since: int = 0) -> AsyncGenerator[Event, None]:
        """From the event of that number, and on as the job goes on, until it ends."""
        place = since
        while True:
            more = self._more
            while place < len(self._spots):
                yield self.at(place)
                place += 1
            if self.ended:
                return
            await more.wait()

    def at(self, place: int) -> Event:
        """An event by its number. A tape that was discarded has its sound no more."""
        spot = self._spots[place]
        if not isinstance(spot.event, Audio) or self._file is None:
            return spot.event
        return replace(spot.event, data=os.pread(self._file, spot.size, spot.start))

    @property
    def sound(self) -> Path | None:
        """All of it in one file, until the tape is discarded. Not to be changed or removed."""
        return self._path

    def discard(self) -> None:
        """Idempotent."""
        if self._file is not None and self._path is not None:
            os.close(self._file)
            self._path.unlink(missing_ok=True)
        self._file = self._path = None

    def _seal(self) -> None:
        """A WAV that was streamed does not know its length: as a file it does, and can be sought in."""
        if self._file is not None:
            head = os.pread(self._file, HEAD_BYTES, 0)
            os.pwrite(self._file, sized(head, self.bytes), 0)

    def _write(self, data: bytes) -> None:
        """To the page cache, on the loop: a chunk is far under a millisecond."""
        if not data:
            return
        if self._file is None:
            self._file, name = tempfile.mkstemp(prefix="speech-")
            self._path = Path(name)
        self.bytes += os.pwrite(self._file, data, self.bytes)
