"""Where a reference comes from: an address, a bucket, the volume, or the request itself.

`sources` reads what the caller wrote, `collect` brings the bytes. Nothing is reached but what the contract
names, and a message never repeats a path or an address. Knows nothing of sound.
"""

import base64
import binascii
import os
import re
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from basics.errors import Failure
from basics.settings import Settings
from store.objects import Objects
from voices.fetching import Fetching, fetch, too_large

MOST = 5
"""References of one voice in one request."""
PATH_CHARS = 256
"""What begins with a slash and is shorter than this is a path, though base64 may begin with one, too."""
LONGEST_PATH = 4096

Kind = Literal["web", "s3", "volume", "base64"]


@dataclass(frozen=True, slots=True)
class Source:
    kind: Kind
    value: str
    field: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """A part of a bucket that references may be read from: the worker's own, its voices', or a job's `s3Config`."""

    bucket: str
    prefix: str
    objects: Objects
    """What is kept below `prefix`, under keys without it."""

    def below(self, bucket: str, key: str) -> str:
        """The key without the prefix, or nothing where this shelf does not hold it."""
        within = f"{self.prefix.strip('/')}/".lstrip("/")
        return key[len(within) :] if bucket == self.bucket and key.startswith(within) else ""


@dataclass(frozen=True, slots=True)
class Places:
    """What this worker lets references come from."""

    fetching: Fetching = field(default_factory=Fetching)
    volume: Path | None = None
    """The volume's root, where one is mounted."""
    shelves: Sequence[Shelf] = ()

    @classmethod
    def of(cls, settings: Settings, volume: Path | None = None, shelves: Sequence[Shelf] = ()) -> "Places":
        most_bytes = round(settings.reference_mb * 1e6)
        return cls(Fetching(most_bytes, allow_hosts=settings.allow_hosts), volume, shelves)


def sources(given: Any, field: str = "reference") -> tuple[Source, ...]:
    """What a caller wrote as `reference`: one string, or up to five of them."""
    if isinstance(given, str):
        return (_source(given, field),)
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MOST:
        raise Failure("invalid_input", f"{field} is a string or a list of one to {MOST} strings.", field=field)
    names = [f"{field}[{at}]" for at in range(len(given))]
    if wrong := next((name for name, part in zip(names, given, strict=True) if not isinstance(part, str)), None):
        raise Failure("invalid_input", f"{wrong} is not a string.", field=wrong)
    return tuple(_source(part, name) for part, name in zip(given, names, strict=True))


def _source(text: str, field: str) -> Source:
    text = text.strip()
    if not text:
        raise Failure("invalid_input", f"{field} is empty.", field=field, hint=PATH_HINT)
    scheme, sign, rest = text[:16].partition(":")
    match scheme.lower() if sign else "":
        case "http" | "https" if rest.startswith("//"):
            return Source("web", text, field)
        case "s3" if rest.startswith("//"):
            return Source("s3", text[len("s3://") :], field)
        case "volume":
            return Source("volume", text[len("volume:") :], field)
        case "data":
            return Source("base64", _of_data_url(text, field), field)
    if _is_path(text):
        raise _refused(field, "this is neither an address nor base64", PATH_HINT)
    return Source("base64", text, field)


PATH_HINT = "A file on the volume is written `volume:path/below/its/root`; others are https://, s3://, data: or base64."


def _is_path(text: str) -> bool:
    """Whether it cannot be base64, or is too short to be a sound and begins like a path."""
    if len(text) < PATH_CHARS and (text.startswith(("/", "~")) or len(text) < 16):
        return True
    if len(text) > LONGEST_PATH:
        return False
    return re.search(r"[^A-Za-z0-9+/=_\-\s]", text) is not None


def _of_data_url(text: str, field: str) -> str:
    head, comma, data = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise Failure("invalid_input", f"{field}: a data-URL must be `data:<type>;base64,<data>`.", field=field)
    return data


def collect(source: Source, places: Places, cancel: threading.Event) -> bytes:
    match source.kind:
        case "web":
            return fetch(source.value, places.fetching, cancel, source.field)
        case "s3":
            return _from_shelf(source, places)
        case "volume":
            return _from_volume(source, places)
        case "base64":
            return _from_text(source, places.fetching.most_bytes)


def _from_text(source: Source, most_bytes: int) -> bytes:
    if len(source.value) > LONGEST_LINES * most_bytes + PATH_CHARS:
        raise too_large(most_bytes, source.field)
    text = source.value.translate(_PLAIN).rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Failure(
            "invalid_input", f"{source.field} is not valid base64.", field=source.field, hint=PATH_HINT
        ) from None
    return _within(data, most_bytes, source.field)


LONGEST_LINES = 1.4
"""Characters a byte: four thirds, and some for line breaks."""
_PLAIN = str.maketrans("-_", "+/", " \t\r\n")


def _from_shelf(source: Source, places: Places) -> bytes:
    bucket, _, key = source.value.partition("/")
    if not bucket or not key or _is_odd(key):
        raise _refused(source.field, "the address is not `s3://bucket/key` with a plain key")
    found = next(((shelf, below) for shelf in places.shelves if (below := shelf.below(bucket, key))), None)
    if found is None:
        raise _refused(
            source.field,
            "this worker reads references only from its own bucket, below its own prefix",
            "Send `s3Config` with the job to read from another bucket.",
        )
    shelf, below = found
    try:
        return _within(
            shelf.objects.get(below, places.fetching.most_bytes)[0], places.fetching.most_bytes, source.field
        )
    except Failure as error:
        raise _as_reference(error, source.field) from None


def _as_reference(error: Failure, field: str) -> Failure:
    """What the store said, as a fault of the reference: a file that is not there cannot be fetched."""
    if error.code != "not_found":
        return Failure(error.code, error.message, field=field, hint=error.hint, retryable=error.retryable)
    return Failure("reference_unreachable", "The bucket has no such file.", field=field, retryable=False)


def _is_odd(key: str) -> bool:
    """A store that keeps keys as files would follow dots out of its folder."""
    return any(part in ("", ".", "..") for part in key.split("/")) or any(ord(char) < 32 for char in key)


def _from_volume(source: Source, places: Places) -> bytes:
    if places.volume is None:
        raise _refused(source.field, "no volume is mounted on this worker")
    if "\x00" in source.value or not source.value.strip():
        raise _refused(source.field, "the path is empty or holds a zero byte")
    try:
        root = os.path.realpath(places.volume, strict=True)
        path = os.path.realpath(places.volume / source.value, strict=True)
        _inside(path, root, source.field)
        return _read(path, root, places.fetching.most_bytes, source.field)
    except (OSError, ValueError):
        raise Failure(
            "reference_unreachable",
            "The volume has no such file that can be read.",
            field=source.field,
            retryable=False,
        ) from None


def _read(path: str, root: str, most_bytes: int, field: str) -> bytes:
    # Never waits for a pipe's other end, and looks again at what was opened: a link may have changed meanwhile.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise _refused(field, "it is not a plain file")
    with os.fdopen(handle, "rb") as file:
        _inside(os.path.realpath(f"/proc/self/fd/{handle}"), root, field)
        if found.st_size > most_bytes:
            raise too_large(most_bytes, field)
        return _within(file.read(most_bytes + 1), most_bytes, field)


def _inside(path: str, root: str, field: str) -> None:
    if not Path(path).is_relative_to(root):
        raise _refused(field, "the path leads out of the volume")


def _within(data: bytes, most_bytes: int, field: str) -> bytes:
    if len(data) > most_bytes:
        raise too_large(most_bytes, field)
    return data


def _refused(field: str, why: str, hint: str | None = None) -> Failure:
    return Failure("reference_refused", f"{field}: {why}.", field=field, hint=hint)
