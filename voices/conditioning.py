"""What engines derived from voices, kept so that nobody derives it twice: in memory under a budget, and for voices
of the library in the store, where other workers find it.

Knows no engine: whoever asks brings the function that derives.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from voices.derived import Derived, DerivedFiles, Key, of_sound
from voices.kept import Kept
from voices.voice import Voice

Derive = Callable[[], Awaitable[Derived]]


class Conditioning:
    def __init__(self, budget_bytes: int = 256 << 20, files: DerivedFiles | None = None) -> None:
        self._files = files
        self._kept: Kept[tuple[str, Key], Derived] = Kept(budget_bytes, lambda derived: derived.size_bytes)

    async def get(self, voice: Voice, key: Key, derive: Derive) -> Derived:
        """Derived once, also when many ask at the same time; one asker's cancellation is not another's."""
        return await self._kept.get((voice.digest, key), partial(self._made, voice, key, derive))

    def forget(self, digest: str) -> None:
        """Of a voice that is no more. The files went with it."""
        self._kept.drop(lambda place: of_sound(place[0]) == digest)

    async def _made(self, voice: Voice, key: Key, derive: Derive) -> Derived:
        files = self._files if voice.kind == "library" and voice.conditionals is None else None
        if files is None:
            return await derive()
        found = await asyncio.to_thread(files.load, voice, key)
        if found is not None:
            return found
        return await asyncio.to_thread(files.keep, voice, key, await derive())
