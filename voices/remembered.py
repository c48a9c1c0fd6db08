"""Files from the open internet that were fetched a moment ago, so that a hundred jobs with one reference fetch it once.

By the whole address, in memory under a budget. What has an ETag or a date is asked for anew each time a little has
passed, and comes again only if it changed; what has neither is kept for that little and fetched again. Nothing that
took a credential comes here: `s3://` is never remembered, whoever's bucket it is.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from basics.errors import Failure
from voices.fetching import Fetched, Fetching, fetch_anew

MEMORY_BYTES = 64 << 20
LIFE_SECONDS = 30.0
GLANCE = 0.2
"""Seconds between two looks at the cancel flag while another job fetches the same."""


@dataclass(frozen=True, slots=True)
class _Known:
    found: Fetched
    at: float


class Remembered:
    """For many threads."""

    def __init__(
        self, budget_bytes: int = MEMORY_BYTES, seconds: float = LIFE_SECONDS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget_bytes, self._seconds, self._now = budget_bytes, seconds, now
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._fetching: dict[str, threading.Lock] = {}

    def fetch(self, url: str, how: Fetching, cancel: threading.Event, field: str) -> bytes:
        """As `fetching.fetch`. Jobs that want the same at once wait for the first of them."""
        with self._alone(url, cancel, field):
            known = self._known.get(url)
            if known is None or self._now() - known.at >= self._seconds:
                found = fetch_anew(url, how, cancel, field, known.found if known is not None else None)
                known = _Known(found, self._now())
            self._keep(url, known)
            return known.found.data

    @contextmanager
    def _alone(self, url: str, cancel: threading.Event, field: str) -> Iterator[None]:
        with self._lock:
            lock = self._fetching.setdefault(url, threading.Lock())
        while not lock.acquire(timeout=GLANCE):
            if cancel.is_set():
                raise Failure("cancelled", "The job was cancelled while its reference was fetched.", field=field)
        try:
            yield
        finally:
            lock.release()

    def _keep(self, url: str, known: _Known) -> None:
        with self._lock:
            self._known.pop(url, None)
            if known.found.may_be_kept:
                self._known[url] = known
            while sum(len(each.found.data) for each in self._known.values()) > self._budget_bytes:
                self._known.popitem(last=False)
            for gone in [each for each in self._fetching if each not in self._known and each != url]:
                if not self._fetching[gone].locked():
                    del self._fetching[gone]
