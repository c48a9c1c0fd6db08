"""Finished answers under a digest of what was asked. Kept nowhere yet: each request is answered anew."""

from typing import Any, Protocol


class Results(Protocol):
    def get(self, key: str) -> dict[str, Any] | None: ...

    def put(self, key: str, answer: dict[str, Any]) -> None: ...


class NullResults:
    def get(self, key: str) -> dict[str, Any] | None:
        return None

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Forgotten."""
