"""A folder as a store: files appear whole or not at all, and nothing outside the folder is reached.

A write goes to a file beside its target, is flushed to disk and then renamed. Conditions are checked and
renames done under a lock on the directory, which other processes on this machine see too; on network
volumes whose locks reach only one machine, `if_absent` still has one winner (a hard link), `if_match` not surely.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from basics.errors import Failure
from store.objects import PART_SUFFIX, Conflict, Entry, Flag, checked, pieces, too_large, unless_cancelled

PIECE_BYTES = 1 << 20
SETTLED_SECONDS = 2.0
"""A file younger than this may change without its times changing; its etag is not remembered."""
TRIES = 8
"""How often a put makes its directory again when a delete beside it takes the empty one away."""
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Folder:
    """Made when the first file is put."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.RLock()
        self._etags: dict[Path, tuple[tuple[int, ...], str]] = {}

    def put(
        self,
        key: str,
        data: bytes | Path,
        content_type: str = "",
        if_absent: bool = False,
        if_match: str | None = None,
        cancel: Flag | None = None,
    ) -> str:
        """`content_type` is told by the name alone here: a file system keeps none."""
        target = self._target(key)
        with _told("take"):
            for _ in range(TRIES):
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(_Swept):
                    return self._write(target, data, if_absent, if_match, cancel)
        raise Failure("storage_failed", "The folder was taken away while a file was being written to it.")

    def get(self, key: str, limit_bytes: int | None = None) -> tuple[bytes, str]:
        path = self._found(key)
        with _told("give"), _opened(path) as file:
            if limit_bytes is not None and os.fstat(file.fileno()).st_size > limit_bytes:
                raise too_large(limit_bytes)
            data = file.read()
        return data, hashlib.sha256(data).hexdigest()

    def list(self, prefix: str = "") -> Iterator[Entry]:
        above = prefix.rpartition("/")[0]
        start = self.root / checked(above) if above else self.root
        self._confined(start)
        for key, path in sorted((path.relative_to(self.root).as_posix(), path) for path in _files(start)):
            if key.startswith(prefix) and (entry := self._entry(key, path)) is not None:
                yield entry

    def delete(self, key: str) -> None:
        path = self._target(key)
        with _told("delete"):
            with (
                contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
                self._locked(path.parent),
            ):
                path.unlink()
            self._etags.pop(path, None)
            self._prune(path.parent)

    def presign(self, key: str, seconds: int) -> str:
        raise Failure("not_supported", "A folder gives no URLs.", hint="Set up a bucket with the BUCKET_ variables.")

    def local_path(self, key: str) -> Path | None:
        try:
            return self._found(key)
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise

    def _write(
        self, target: Path, data: bytes | Path, if_absent: bool, if_match: str | None, cancel: Flag | None
    ) -> str:
        part = target.parent / f".{secrets.token_hex(8)}{PART_SUFFIX}"
        try:
            etag = _fill(part, data, cancel)
            unless_cancelled(b"", cancel)
            with self._locked(target.parent):
                if if_match is not None and self._etag_now(target) != if_match:
                    raise Conflict
                _appear(part, target, if_absent)
            return etag
        finally:
            part.unlink(missing_ok=True)

    def _target(self, key: str) -> Path:
        path = self.root / checked(key)
        self._confined(path.parent)
        return path

    def _found(self, key: str) -> Path:
        path = self.root / checked(key)
        self._confined(path)
        with _told("give"):
            if path.is_file():
                return path
        raise _missing()

    def _confined(self, path: Path) -> None:
        """A link in the folder may point anywhere; it is followed only where it stays inside."""
        with _told("give"):
            inside = path.resolve().is_relative_to(self.root.resolve())
        if not inside:
            raise Failure("reference_refused", "The key of a stored file leads out of its folder.")

    def _entry(self, key: str, path: Path) -> Entry | None:
        try:
            self._confined(path)
            found = path.stat()
            return Entry(key, found.st_size, self._etag(path, found), found.st_mtime)
        except (Failure, FileNotFoundError):
            return None

    def _etag(self, path: Path, found: os.stat_result) -> str:
        """Of the content; remembered while the file's number, times and size stay what they were."""
        seen = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        known = self._etags.get(path)
        if known is not None and known[0] == seen:
            return known[1]
        with path.open("rb") as file:
            etag = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time() - found.st_mtime > SETTLED_SECONDS:
            self._etags[path] = (seen, etag)
        return etag

    def _etag_now(self, path: Path) -> str | None:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _locked(self, directory: Path) -> Iterator[None]:
        with self._lock:
            try:
                handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                raise _Swept from None
            try:
                with contextlib.suppress(OSError):  # a volume without locks: the one in this process holds
                    fcntl.flock(handle, fcntl.LOCK_EX)
                yield
                with contextlib.suppress(OSError):  # nor does every volume flush directories
                    os.fsync(handle)
            finally:
                os.close(handle)

    def _prune(self, directory: Path) -> None:
        """Empty directories go, as they do in a bucket."""
        while directory != self.root and directory.is_relative_to(self.root):
            try:
                directory.rmdir()
            except OSError:
                return
            directory = directory.parent


def _opened(path: Path) -> BinaryIO:
    """It may have gone since it was found."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise _missing() from None


def _missing() -> Failure:
    return Failure("not_found", "There is no stored file under this key.")


class _Swept(FileNotFoundError):
    """The directory went between its making and its use."""


def _fill(part: Path, data: bytes | Path, cancel: Flag | None) -> str:
    digest = hashlib.sha256()
    try:
        file = part.open("xb")
    except FileNotFoundError:
        raise _Swept from None
    with file:
        for piece in pieces(data, PIECE_BYTES, cancel):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _appear(part: Path, target: Path, if_absent: bool) -> None:
    if not if_absent:
        part.replace(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise Conflict from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):
            raise Conflict from None
        part.replace(target)


def _files(directory: Path) -> Iterator[Path]:
    for above, _, names in os.walk(directory):
        for name in names:
            path = Path(above, name)
            if not name.endswith(PART_SUFFIX) and _is_regular(path):
                yield path


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def _told(verb: str) -> Iterator[None]:
    """What the file system says, in our words: its own hold paths."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Failure("storage_failed", "The disk of the folder is full.", hint="Free space and retry.") from error
        why = os.strerror(error.errno) if error.errno else "unknown reason"
        raise Failure("storage_failed", f"The folder did not {verb} the file: {why}.") from error
