"""A parcel: the files of a batch in one zip, made on disk as they come and delivered where files go.

The sound is packed as it is: it would hardly shrink.
"""

import asyncio
import re
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from basics.errors import Failure
from operations.job import Job
from speech.delivery import ZIP, Delivery, Recording
from speech.formats import FORMATS

NAME_CHARS = 80


class Parcel:
    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._folder = tempfile.TemporaryDirectory(prefix="parcel-")
        self._path = Path(self._folder.name) / "speech.zip"
        self._zip = zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED)
        self._lock = threading.Lock()

    @classmethod
    async def begun(cls, delivery: Delivery) -> "Parcel":
        """Raises `misconfigured` where a zip could go nowhere: before anything is spoken."""
        if not (delivery.has_bucket or delivery.has_volume):
            raise Failure(
                "misconfigured",
                "`zip` needs a bucket, a network volume or AUDIO_OUTPUT_DIR to put it.",
                field="zip",
                hint="Leave `zip` out: short files come inside the answer.",
            )
        return await asyncio.to_thread(cls, delivery)

    def add(self, index: int, id: str | None, audio: dict[str, Any], data: bytes) -> str:
        """The file's name in the zip."""
        stem = f"{index:03d}" + (f"-{re.sub(r'[^A-Za-z0-9._-]', '_', id)[:NAME_CHARS]}" if id else "")
        name = f"{stem}.{FORMATS[audio['format']].extension}"
        with self._lock:
            self._zip.writestr(name, data)
        return name

    async def delivered(self, job: Job) -> dict[str, Any]:
        await asyncio.to_thread(self._zip.close)
        kind = self._delivery.for_keeping
        recording = Recording(self._path, ZIP, 0, 0.0)
        stored = await self._delivery.deliver(recording, kind, job.id, job.cancel)
        return {name: stored.audio[name] for name in ("url", "path", "bytes", "expires_at") if name in stored.audio}

    def close(self) -> None:
        """The zip itself is where it was delivered. Idempotent."""
        with self._lock:
            self._zip.close()
            self._folder.cleanup()
