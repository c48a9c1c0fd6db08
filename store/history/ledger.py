"""What history needs of whatever keeps it. Calls block and may come from any thread.

Anything may raise `storage_failed`: it is away, and the call may be made again. A `Refused` record never will be
taken.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from store.history.record import Page, Query, Record, Sound, Work


class Refused(Exception):
    """One of the records cannot be kept, now or later."""


class Ledger(Protocol):
    shared: bool
    """Whether other machines see it too."""

    def write(self, records: Sequence[Record]) -> None:
        """Each replaces what is known of its job, but for `created` and `batch`, which the first one says."""
        ...

    def get(self, id: str) -> Record | None: ...

    def page(self, query: Query) -> Page: ...

    def forget(self, before: float, limit: int) -> int:
        """Takes away jobs created before then, at most `limit`. How many went."""
        ...

    def accept(self, record: Record, work: Work, holder: str, until: float) -> None:
        """Both are kept when it returns. The job is the holder's until then, by the clock on the wall."""
        ...

    def claim(self, holder: str, until: float, now: float, limit: int) -> list[Work]:
        """Accepted jobs whose holders are gone, now this one's. Of several who claim, one gets each."""
        ...

    def renew(self, ids: Iterable[str], holder: str, until: float) -> None: ...

    def release(self, ids: Iterable[str], holder: str) -> None:
        """Anyone may claim them now."""
        ...

    def settle(self, id: str, audio: str) -> None:
        """Nothing is left to do. `audio` is where its sound is kept, if anywhere."""
        ...

    def wish(self, id: str) -> None:
        """Somebody wants the job cancelled, whoever runs it."""
        ...

    def wished(self, ids: Iterable[str]) -> set[str]:
        """Those that are to be cancelled."""
        ...

    def stale(self, before: float, keep_bytes: float, limit: int) -> list[Sound]:
        """Sounds of jobs that ended before then, and the oldest of those over `keep_bytes` in all."""
        ...

    def silenced(self, ids: Iterable[str]) -> None:
        """Their sounds are no longer kept."""
        ...

    def close(self) -> None: ...
