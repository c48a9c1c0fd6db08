"""History as the house sees it: what was asked, how it ended, and what is still to be done.

`began` and `ended` never block and never fail: speech does not wait for a database. All else blocks, so it is
called in a thread. Knows records, and neither jobs nor models.
"""

from typing import Any, Protocol

from basics.errors import Failure
from store.history.record import Page, Query, Record, Work


class Setter(Protocol):
    """Takes a wish to stop, from any thread; `threading.Event` is one."""

    def set(self) -> None: ...


class History(Protocol):
    durable: bool
    """Whether what is accepted outlives this process."""

    def began(self, record: Record, cancel: Setter | None = None) -> None:
        """`cancel` is set when another process asks for the job to be cancelled."""
        ...

    def ended(self, record: Record) -> None: ...

    def accept(self, record: Record, work: Work) -> bool:
        """Kept before it returns, and this process's to run; False where it cannot be kept, now or ever."""
        ...

    def claim(self, limit: int) -> list[Work]:
        """Accepted jobs whose processes are gone: this one's from now on."""
        ...

    def settled(self, id: str, audio: str = "") -> None:
        """An accepted job needs nothing more; `audio` is where its sound is kept. Never blocks, never fails."""
        ...

    def put_back(self, record: Record) -> None:
        """An accepted job is left for another process, which may claim it at once."""
        ...

    def get(self, id: str) -> Record | None: ...

    def page(self, query: Query) -> Page: ...

    def wish(self, id: str) -> float | None:
        """Asks whoever runs the job to cancel it. Seconds until they look, None where they never do."""
        ...

    def state(self) -> dict[str, Any]:
        """For those who watch over the worker."""
        ...

    def close(self) -> None:
        """Writes what it can within a few seconds."""
        ...


class NullHistory:
    durable = False

    def began(self, record: Record, cancel: Setter | None = None) -> None:
        """Forgotten."""

    def ended(self, record: Record) -> None:
        """Forgotten."""

    def accept(self, record: Record, work: Work) -> bool:
        return False

    def claim(self, limit: int) -> list[Work]:
        return []

    def settled(self, id: str, audio: str = "") -> None:
        """Forgotten."""

    def put_back(self, record: Record) -> None:
        """Forgotten."""

    def get(self, id: str) -> Record | None:
        return None

    def page(self, query: Query) -> Page:
        raise Failure(
            "misconfigured",
            "This worker keeps no history.",
            hint="Set DATABASE_URL, or a bucket with the BUCKET_ variables; HISTORY_DAYS must be over 0.",
        )

    def wish(self, id: str) -> float | None:
        return None

    def state(self) -> dict[str, Any]:
        return {"kind": "none"}

    def close(self) -> None:
        """Nothing is open."""
