"""The voices that people keep. Until a library is set up there is one without voices: callers need no special case."""

from typing import Protocol

from voices.voice import Voice


class Library(Protocol):
    async def get(self, id: str) -> Voice | None:
        """The voice with this id, or None."""
        ...


class NoLibrary:
    async def get(self, id: str) -> Voice | None:
        return None
