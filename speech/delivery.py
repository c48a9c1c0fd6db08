"""How finished speech reaches whoever asked: inside the answer, behind a URL, or as a file on the volume.

`choose` decides over sizes and touches nothing; `Delivery` does it, all of it in threads. Whoever is cancelled
leaves no file behind, and a file that was stored for a job that fails afterwards is withdrawn. Knows neither
engines nor how a format is made; base64 is the door's business.
"""

import asyncio
import contextlib
import hashlib
import re
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from basics.errors import Failure
from basics.limits import ANSWER_BYTES, WIDE_BYTES, base64_bytes, fits_answer, fits_inline, json_bytes
from basics.settings import Settings
from speech.formats import FORMATS
from store.bucket import Bucket, unsigned
from store.bucket_config import PARTS, BucketConfig
from store.folder import Folder
from store.objects import Flag, pieces, unless_cancelled

SPARE_BYTES = 4_000
"""What an answer still grows by after the file's size is weighed: its `audio`, timings, a URL."""
ID_CHARS = 64
ZIP = "zip"
"""The one format of a Recording that holds other recordings."""
HASH_BYTES = 1 << 20

T = TypeVar("T")


def choose(
    asked: str, estimate_bytes: int, has_bucket: bool, has_volume: bool, others: Mapping[str, int] | None = None
) -> str:
    """`stream`, `inline`, `url` or `volume`, before anything is spoken.

    `estimate_bytes` is of the file itself. `others` are the estimates in other formats, the best first: a refusal
    names those that would fit.
    """
    if asked in ("stream", "volume"):
        return asked
    if asked == "url":
        if not has_bucket:
            raise _no_bucket()
        return asked
    if asked == "auto" and not fits_inline(estimate_bytes):
        if has_bucket:
            return "url"
        if has_volume:
            return "volume"
    if not fits_answer(estimate_bytes):
        raise _too_large(estimate_bytes, others or {})
    return "inline"


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished file. One on disk stays where it is: its maker takes it away."""

    source: bytes | Path
    format: str
    """Its name among the formats, as the answer tells it."""
    sample_rate: int
    duration: float
    """Seconds."""
    name: str = "speech"


@dataclass(frozen=True, slots=True)
class Delivered:
    audio: dict[str, Any]
    """The contract's `audio`. An inlined file's `data` is filled in by the door, from the field below."""
    data: bytes | None
    warnings: tuple[str, ...]
    withdraw: Callable[[], Awaitable[None]]
    """Takes the stored file away again: for a job that fails or is cancelled after its delivery."""
    location: str = ""
    """Which of the worker's own places has it, and its key there; empty where it is nowhere, or in a job's bucket."""

    @property
    def answer(self) -> dict[str, Any]:
        """What it adds to the answer."""
        url = self.audio.get("url")
        return {"audio": self.audio} if url is None else {"audio": self.audio, "audio_url": url}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The places where one job's files may go."""

    bucket: Bucket | None
    """The job's own, else the worker's."""
    volume: Folder
    has_volume: bool
    """Whether `auto` may choose the volume; asked for by name it is always there."""
    url_seconds: int
    wide: bool = False
    """Whether a file that is asked for inline travels as a body, whatever it weighs."""
    share: int = 1
    """How many jobs share what an answer holds inline, evenly."""
    now: Callable[[], datetime] = now
    own: bool = True
    """Whether the bucket is the worker's, so that it can be reached when the job is over."""

    @classmethod
    async def of_job(
        cls, settings: Settings, worker: Bucket | None, s3: Any = None, *, wide: bool = False, share: int = 1
    ) -> "Delivery":
        """`s3`, the job's bucket, goes before the worker's; it is judged here, before any work is done for it."""
        bucket = worker
        if s3 is not None:
            bucket = Bucket(BucketConfig.of_job(s3, settings.allow_hosts))
            await asyncio.to_thread(bucket.check)
        own = bucket is worker
        places = Folder(settings.output_dir), settings.has_volume, settings.bucket_url_seconds
        return cls(bucket, *places, wide=wide, share=share, own=own)

    @property
    def has_bucket(self) -> bool:
        """Whether there is one that signs URLs."""
        return self.bucket is not None and self.bucket.presigns

    @property
    def for_keeping(self) -> str:
        """Where a stream's whole file goes that is to be kept."""
        return "url" if self.has_bucket else "volume"

    def choose(self, asked: str, estimate_bytes: int, others: Mapping[str, int] | None = None) -> str:
        if asked == "url" and self.bucket is not None and not self.bucket.presigns:
            raise unsigned(self.bucket.config)
        if asked == "inline" and self.wide and estimate_bytes <= WIDE_BYTES:
            return asked
        return choose(asked, estimate_bytes * self.share, self.has_bucket, self.has_volume, others)

    async def deliver(
        self,
        recording: Recording,
        kind: str,
        job_id: str,
        cancel: Flag,
        asked: str = "auto",
        rest: Mapping[str, Any] | None = None,
    ) -> Delivered:
        """`kind` is what `choose` said, `asked` what the caller did, `rest` the other parts of the answer.

        A file that turned out larger than was estimated goes where it fits, and a warning says so.
        """
        size, sha256 = await asyncio.to_thread(_measured, recording.source)
        settled = self._settled(kind, asked, size, json_bytes(rest or {}) + SPARE_BYTES)
        warnings = () if settled == kind else (f"The file is larger than estimated; delivered as `{settled}`.",)
        about = {
            "format": recording.format,
            "sample_rate": recording.sample_rate,
            "bytes": size,
            "duration": round(recording.duration, 3),
            "sha256": sha256,
        }
        if settled == "inline":
            unless_cancelled(b"", cancel)
            return Delivered(about, await asyncio.to_thread(_whole, recording.source), warnings, _nothing)
        place = self._place(settled)
        key = self._key(recording, job_id)
        takes_back = partial(_take_back, place, key)
        where = await _unless_left(partial(self._keep, place, key, recording), takes_back, cancel)
        kept = "volume" if settled == "volume" else "bucket" if self.own else ""
        location = f"{kept}:{key}" if kept else ""
        return Delivered(where | about, None, warnings, partial(asyncio.to_thread, takes_back), location)

    def _settled(self, kind: str, asked: str, size: int, rest_bytes: int) -> str:
        if kind != "inline" or (self.wide and asked == "inline" and size <= WIDE_BYTES):
            return kind
        fits = fits_answer(size * self.share, rest_bytes * self.share)
        if fits and (asked == "inline" or fits_inline(size * self.share)):
            return kind
        if self.has_bucket or self.has_volume:
            return "url" if self.has_bucket else "volume"
        if not fits:
            raise _too_large(size, {})
        return kind

    def _place(self, kind: str) -> "Bucket | Folder":
        if kind == "volume":
            return self.volume
        if self.bucket is None:
            raise _no_bucket()
        return self.bucket

    def _keep(self, place: "Bucket | Folder", key: str, recording: Recording, cancel: Flag) -> dict[str, Any]:
        signed = self.now()
        try:
            place.put(key, recording.source, _kind(recording.format)[1], cancel=cancel)
            where = {"path": str(place.root / key)} if isinstance(place, Folder) else self._signed(place, key, signed)
            unless_cancelled(b"", cancel)
        except BaseException:
            _take_back(place, key)
            raise
        return where

    def _signed(self, bucket: Bucket, key: str, signed: datetime) -> dict[str, Any]:
        """The expiry counts from before the upload: never promised later than it is."""
        expires = signed + timedelta(seconds=self.url_seconds)
        url = bucket.presign(key, self.url_seconds)
        return {"url": url, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _key(self, recording: Recording, job_id: str) -> str:
        """By day and job; a few random letters keep a job that is tried again from its own earlier file."""
        day, extension = self.now().strftime("%Y/%m/%d"), _kind(recording.format)[0]
        return f"{day}/{_safe(job_id)}/{_safe(recording.name)}-{secrets.token_hex(4)}.{extension}"


async def _unless_left(work: Callable[[Flag], T], undo: Callable[[], None], cancel: Flag) -> T:
    """Runs `work` in a thread. If its waiter is cancelled, the thread is told, and what it still finishes is undone."""
    left = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, _Either(cancel, left)))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        left.set()
        running.add_done_callback(partial(_undo_if_done, undo))
        raise


def _undo_if_done(undo: Callable[[], None], ended: "asyncio.Future[Any]") -> None:
    if not ended.cancelled() and ended.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, undo)


@dataclass(frozen=True, slots=True)
class _Either:
    one: Flag
    other: Flag

    def is_set(self) -> bool:
        return self.one.is_set() or self.other.is_set()


def _take_back(place: "Bucket | Folder", key: str) -> None:
    with contextlib.suppress(Failure):  # a store that is gone cannot be tidied; the first failure is the one to tell
        place.delete(key)


async def _nothing() -> None:
    """An inlined file was stored nowhere."""


def _measured(source: bytes | Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for piece in pieces(source, HASH_BYTES):
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


def _whole(source: bytes | Path) -> bytes:
    return source.read_bytes() if isinstance(source, Path) else source


def _kind(format: str) -> tuple[str, str]:
    """Extension and content type."""
    if format == ZIP:
        return ZIP, "application/zip"
    return FORMATS[format].extension, FORMATS[format].content_type


def _safe(name: str) -> str:
    """A name for a key; one that had to be changed is told from others by a digest."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:ID_CHARS]
    if kept == name and kept:
        return kept
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kept}-{digest}"


def _no_bucket() -> Failure:
    return Failure(
        "misconfigured",
        f"`delivery: url` needs a bucket: set {', '.join(PARTS)}, or send `s3Config` with the job.",
        field="delivery",
        hint="`inline` holds short speech; `volume` keeps the file on the worker's volume.",
    )


def _too_large(size: int, others: Mapping[str, int]) -> Failure:
    fitting = [name for name, estimate in others.items() if fits_answer(estimate)]
    hint = "set up a bucket for `delivery: url`, or ask for `delivery: volume`."
    return Failure(
        "payload_too_large",
        f"The speech is about {base64_bytes(size) / 1e6:.1f} MB of an answer, which holds {ANSWER_BYTES / 1e6:g} MB.",
        field="format" if fitting else "delivery",
        hint=f"As {', '.join(fitting)} it would fit; or {hint}" if fitting else hint.capitalize(),
    )
