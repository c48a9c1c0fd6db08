"""What this worker was asked and how it ended. Kept nowhere yet: the null history is the only one."""

from typing import Any, Protocol


class History(Protocol):
    def began(self, job: Any) -> None: ...

    def ended(self, job: Any, outcome: Any) -> None: ...


class NullHistory:
    def began(self, job: Any) -> None:
        """Forgotten."""

    def ended(self, job: Any, outcome: Any) -> None:
        """Forgotten."""
