"""The sound of a job that has ended, wherever it is kept: signed anew, or as a file, or as bytes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from basics.errors import Failure
from basics.limits import fits_answer
from operations.house import House
from speech.formats import FORMATS
from store.bucket import Bucket
from store.history.record import Record
from store.objects import Objects


@dataclass(frozen=True, slots=True)
class Heard:
    """Either has a `url`, or a `path`, or, in a bucket that signs nothing, only `read`."""

    record: Record
    content_type: str
    source: Callable[[], bytes] = field(repr=False)
    url: str = ""
    expires_at: str = ""
    path: Path | None = None
    """The file on this machine."""

    def read(self) -> bytes:
        """All of it. Blocks."""
        return self.source()

    def about(self) -> dict[str, Any]:
        """The contract's `audio`, without where it is."""
        return {"format": self.record.format, "bytes": self.record.bytes, "duration": self.record.duration}


async def hear(record: Record, house: House) -> Heard:
    """Raises `not_found` where no sound is kept, and says why."""
    found = house.sounds.find(record)
    if record.open or found is None:
        raise silent(record)
    return await asyncio.to_thread(_heard, record, house, *found)


def of_file(record: Record, path: Path) -> Heard:
    return Heard(record, _content_type(record), path.read_bytes, path=path)


def silent(record: Record) -> Failure:
    if record.open:
        return Failure(
            "not_found", "The job has not ended yet; there is no sound to fetch.", field="id", retryable=True
        )
    return Failure(
        "not_found",
        "No sound of this job is kept: it failed, or its sound went out with the answer or is too old.",
        field="id",
        hint="Ask for `delivery: url` or `volume`, or `keep: true` with a stream.",
    )


async def sound(record: Record, house: House, wide: bool = False) -> tuple[dict[str, Any], bytes | None]:
    """The contract's `audio`, and the bytes where they go into the answer; `wide` is the job's."""
    heard = await hear(record, house)
    if heard.url:
        return heard.about() | {"url": heard.url, "expires_at": heard.expires_at}, None
    if record.audio.startswith("volume:"):
        return heard.about() | {"path": str(heard.path)}, None
    if not (wide or fits_answer(record.bytes)):
        raise Failure(
            "payload_too_large",
            f"The sound has {record.bytes / 1e6:.1f} MB, more than an answer holds.",
            hint="A bucket, set up with the BUCKET_ variables, gives addresses instead.",
        )
    return heard.about(), await asyncio.to_thread(heard.read)


def _heard(record: Record, house: House, place: Objects, key: str) -> Heard:
    heard = Heard(record, _content_type(record), lambda: place.get(key)[0])
    if isinstance(place, Bucket):
        return _signed(heard, place, key, house.settings.bucket_url_seconds) if place.presigns else heard
    path = place.local_path(key)
    if path is None:
        raise Failure("not_found", "The sound of this job is no longer where it was put.", field="id")
    return replace(heard, path=path)


def _signed(heard: Heard, bucket: Bucket, key: str, seconds: int) -> Heard:
    """The expiry counts from before the signature: never promised later than it is."""
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return replace(heard, url=bucket.presign(key, seconds), expires_at=expires.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _content_type(record: Record) -> str:
    format = FORMATS.get(record.format)
    return format.content_type if format else "application/octet-stream"
