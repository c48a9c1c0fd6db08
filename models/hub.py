"""Fetching files of weights: over the hub's own routes or from an address, resumed where they broke off.

A file appears under its name only whole and with the right checksum; until then it is a `.part` beside it. Knows no
models: whoever calls says which files of which repository.
"""

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from basics.errors import Failure

CHUNK = 1 << 20
TRIES = 5
Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes there and the bytes in all, where known."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the hub lists it."""

    path: str
    size: int | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Hub:
    endpoint: str
    """Without a slash at its end."""
    token: str = ""
    patience: float = 60.0
    """Seconds without a byte after which a connection counts as broken."""
    pause: Callable[[float], None] = time.sleep
    """Called with the seconds to wait before another try."""

    def list(self, repository: str, revision: str) -> tuple[str, tuple[Listed, ...]]:
        """The commit that a revision stands for, and its files."""
        address = f"{self.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        try:
            with self._open(address, repository) as answer:
                told: dict[str, Any] = json.loads(_everything(answer))
                return str(told["sha"]), tuple(map(_listed, told["siblings"]))
        except _Cut as cut:
            raise Failure("weights_missing", "The hub cannot be reached.", retryable=True) from cut
        except (ValueError, KeyError, TypeError) as error:
            raise Failure("weights_missing", f"The hub's answer about {repository} is not understood.") from error

    def address(self, repository: str, revision: str, path: str) -> str:
        return f"{self.endpoint}/{repository}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def fetch(
        self, address: str, into: Path, size: int | None = None, sha256: str = "", progress: Progress | None = None
    ) -> None:
        """Goes on after a cut, up to five times without progress. Raises what is wrong; never leaves a wrong file."""
        part = into.with_name(f"{into.name}.part")
        try:
            into.parent.mkdir(parents=True, exist_ok=True)
            self._complete(address, part, into.name, size, progress)
            _check(part, into.name, size, sha256)
            part.replace(into)
        except OSError as error:
            raise Failure("storage_failed", f"{into.name} cannot be written: {error.strerror}.") from error

    def _complete(self, address: str, part: Path, name: str, size: int | None, progress: Progress | None) -> None:
        fruitless = 0
        while True:
            before = length(part)
            if size is not None and before == size:
                return
            try:
                self._continue(address, part, name, size, progress)
                return
            except _Cut as cut:
                if isinstance(cut, _TooFar):
                    part.unlink(missing_ok=True)
                fruitless = 0 if length(part) > before else fruitless + 1
                if fruitless == TRIES:
                    message = f"{name} cannot be fetched: the connection breaks off again and again."
                    raise Failure("weights_missing", message, retryable=True) from cut
                self.pause(2.0**fruitless)

    def _continue(self, address: str, part: Path, name: str, size: int | None, progress: Progress | None) -> None:
        """One connection, from where the part ends. Raises `_Cut` where it broke off."""
        start = length(part)
        with self._open(address, name, start) as answer:
            resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
            start = start if resumed else 0
            whole = None if answer.length is None else start + answer.length
            with part.open("ab" if resumed else "wb") as file:
                while piece := _read(answer):
                    file.write(piece)
                    start += len(piece)
                    if progress is not None:
                        progress(name, start, size if size is not None else whole)
        if whole is not None and start < whole:
            raise _Cut

    def _open(self, address: str, what: str, start: int = 0) -> http.client.HTTPResponse:
        """Raises `_Cut` for what may pass, a Failure for what will not."""
        request = urllib.request.Request(address, headers={"User-Agent": "worker-tts"})
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self.token and address.startswith(f"{self.endpoint}/"):
            # Unredirected: the hub sends on to a store that must not see the token.
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            return cast(http.client.HTTPResponse, urllib.request.urlopen(request, timeout=self.patience))
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error.code, what) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Cut from error


class _Cut(Exception):
    """The connection broke off, or the other side is busy: another try may go on."""


class _TooFar(_Cut):
    """What is there is longer than the file: it belongs to another."""


def length(file: Path) -> int:
    """Bytes there; none where there is no file."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def checksum(file: Path) -> str:
    with file.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()


def _check(part: Path, name: str, size: int | None, sha256: str) -> None:
    """A wrong file is removed at once, so that the next try starts clean."""
    wrong = (size is not None and length(part) != size) or (sha256 != "" and checksum(part) != sha256)
    if wrong:
        part.unlink(missing_ok=True)
        raise Failure("weights_missing", f"{name} came with another size or checksum than it should; it was removed.")


def _refused(status: int, what: str) -> Exception:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Failure(
            "weights_missing",
            f"{what} is refused ({status}): accept its terms on the hub and set HF_TOKEN to a token that may read it.",
        )
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return _TooFar()
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Cut()
    return Failure("weights_missing", f"{what} is not where it should be ({status}).")


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Cut from error


def _everything(answer: http.client.HTTPResponse) -> bytes:
    parts = []
    while piece := _read(answer):
        parts.append(piece)
    return b"".join(parts)


def _listed(told: dict[str, Any]) -> Listed:
    stored = told.get("lfs") or {}
    size = stored.get("size", told.get("size"))
    return Listed(str(told["rfilename"]), None if size is None else int(size), str(stored.get("sha256", "")))
