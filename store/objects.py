"""Where bytes are kept under keys: what a folder and a bucket have in common.

Calls block and may come from any thread. Keys are relative, parted by `/`, and the same for every kind of
store: what is kept below a folder or a bucket's prefix is nobody's business above.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from basics.errors import Failure

KEY_BYTES = 1024
"""S3's limit of a whole key."""

SEGMENT_BYTES = 255
"""A file system's limit of one name."""

PART_SUFFIX = ".part"
"""How an unfinished file's name ends in a folder. No key may."""


class Flag(Protocol):
    """Says from any thread that nobody wants the outcome any more; `threading.Event` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    size: int
    """Bytes."""
    etag: str
    modified: float
    """Seconds since 1970."""


class Conflict(Exception):
    """A conditional put met an object that is there already, or not the one it was to replace."""


class Objects(Protocol):
    def put(
        self,
        key: str,
        data: bytes | Path,
        content_type: str = "",
        if_absent: bool = False,
        if_match: str | None = None,
        cancel: Flag | None = None,
    ) -> str:
        """The new etag. Readers see the old object or the new one, whole.

        Raises Conflict, `cancelled`, `storage_failed`. A cancel that comes after the last byte is too late.
        """
        ...

    def get(self, key: str, limit_bytes: int | None = None) -> tuple[bytes, str]:
        """Data and etag. Raises `not_found`, `reference_too_large` over the limit, `storage_failed`."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose key begins so, in order of keys."""
        ...

    def delete(self, key: str) -> None:
        """Idempotent."""
        ...

    def presign(self, key: str, seconds: int) -> str:
        """A URL that anyone may read the object with until then. Raises where the store has none."""
        ...

    def local_path(self, key: str) -> Path | None:
        """The file itself, where there is one on this machine."""
        ...


def checked(key: str) -> str:
    """The key, if it names something below the store and nothing else."""
    segments = key.split("/")
    if any(segment in {"", ".", ".."} for segment in segments) or re.search(r"[\x00-\x1f\x7f\\]", key):
        raise _refused("it must be relative, without empty, `.` or `..` parts, backslashes or control characters")
    try:
        sizes = [len(segment.encode()) for segment in segments]
    except UnicodeError:
        raise _refused("it must be text that UTF-8 can hold") from None
    if max(sizes) > SEGMENT_BYTES or sum(sizes) + len(sizes) - 1 > KEY_BYTES:
        raise _refused(f"it may have {KEY_BYTES} bytes, and {SEGMENT_BYTES} between slashes")
    if segments[-1].endswith(PART_SUFFIX):
        raise _refused(f"names ending in `{PART_SUFFIX}` are those of unfinished files")
    return key


def pieces(data: bytes | Path, size: int, cancel: Flag | None = None) -> Iterator[bytes]:
    """The data in pieces of `size` bytes, the last one shorter. Stops with `cancelled` between two of them."""
    if isinstance(data, Path):
        with data.open("rb") as source:
            while piece := source.read(size):
                yield unless_cancelled(piece, cancel)
    else:
        for start in range(0, len(data), size):
            yield unless_cancelled(data[start : start + size], cancel)


def unless_cancelled(piece: bytes, cancel: Flag | None) -> bytes:
    if cancel is not None and cancel.is_set():
        raise Failure("cancelled", "The job was cancelled while its file was being stored.")
    return piece


def too_large(limit_bytes: int) -> Failure:
    return Failure("reference_too_large", f"The stored file is over {limit_bytes / 1e6:g} MB.")


def _refused(why: str) -> Failure:
    return Failure("reference_refused", f"The key of a stored file is not allowed: {why}.")
