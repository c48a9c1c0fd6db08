"""Two places as one store: the first is the truth, the second keeps copies of what was read from it.

A copy is kept under the content's etag, so an old one is never taken for a new one, and nothing that lies in the
second place alone exists. A second place that fails only makes reading slower.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from basics.errors import Failure
from store.objects import Entry, Flag, Objects

log = logging.getLogger("worker.store")

COPIES = ".copies"


class Cached:
    def __init__(self, first: Objects, second: Objects, copied: Callable[[str], bool]) -> None:
        """`copied`: whether a key's object may be a little old; of others there are no copies."""
        self._first, self._second, self._copied = first, second, copied
        self._swept = False
        self._etags: dict[str, str] = {}
        """Of the first place's objects, as last seen."""

    def put(
        self,
        key: str,
        data: bytes | Path,
        content_type: str = "",
        if_absent: bool = False,
        if_match: str | None = None,
        cancel: Flag | None = None,
    ) -> str:
        etag = self._first.put(key, data, content_type, if_absent, if_match, cancel)
        self._seen(key, etag)
        return etag

    def get(self, key: str, limit_bytes: int | None = None) -> tuple[bytes, str]:
        """What was listed may come from the copy; what was not, from the first place."""
        if not self._copied(key):
            return self._first.get(key, limit_bytes)
        etag = self._etags.get(key)
        if etag is not None:
            with contextlib.suppress(Failure):
                return self._second.get(_copy(key, etag), limit_bytes)[0], etag
        data, etag = self._first.get(key, limit_bytes)
        self._seen(key, etag)
        with self._unharmed():
            self._second.put(_copy(key, etag), data)
        return data, etag

    def list(self, prefix: str = "") -> Iterator[Entry]:
        listed = list(self._first.list(prefix))
        found = {entry.key: entry.etag for entry in listed}
        for key in [key for key in self._etags if key.startswith(prefix) and key not in found]:
            self._forget(key)
        for key, etag in found.items():
            self._seen(key, etag)
        if not prefix and not self._swept:
            self._sweep()
        return iter(listed)

    def delete(self, key: str) -> None:
        self._first.delete(key)
        self._forget(key)

    def presign(self, key: str, seconds: int) -> str:
        return self._first.presign(key, seconds)

    def local_path(self, key: str) -> Path | None:
        return self._first.local_path(key)

    def _seen(self, key: str, etag: str) -> None:
        if self._etags.get(key, etag) != etag:
            self._forget(key)
        self._etags[key] = etag

    def _forget(self, key: str) -> None:
        etag = self._etags.pop(key, None)
        if etag is not None:
            with self._unharmed():
                self._second.delete(_copy(key, etag))

    def _sweep(self) -> None:
        """Once: copies of what went while nobody looked."""
        current = {_copy(key, etag) for key, etag in self._etags.items()}
        with self._unharmed():
            for entry in list(self._second.list(f"{COPIES}/")):
                if entry.key not in current:
                    self._second.delete(entry.key)
        self._swept = True

    @contextlib.contextmanager
    def _unharmed(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            log.warning("copies_failed", extra={"code": failure.code})


def _copy(key: str, etag: str) -> str:
    return f"{COPIES}/{key}@{etag.replace('/', '_')[:80]}"
