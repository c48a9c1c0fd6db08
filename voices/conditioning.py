"""What engines derived from voices, kept so that nobody derives it twice. In memory, least recently used out.

Knows no engine: whoever asks brings the function that derives.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import numpy as np
from numpy.typing import NDArray

from voices.voice import Voice

Arrays = dict[str, NDArray[np.generic]]
Key = tuple[str, str]
"""The engine's id and its weights' revision."""


class Conditioning:
    def __init__(self, budget_bytes: int = 256 << 20) -> None:
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[tuple[str, Key], Arrays] = OrderedDict()
        self._under_way: dict[tuple[str, Key], asyncio.Task[Arrays]] = {}

    async def get(self, voice: Voice, key: Key, derive: Callable[[], Awaitable[Arrays]]) -> Arrays:
        """Derived once, also when many ask at the same time; one asker's cancellation is not another's."""
        place = (voice.digest, key)
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        if place not in self._under_way:
            self._under_way[place] = asyncio.ensure_future(self._derive(place, derive))
        return await asyncio.shield(self._under_way[place])

    async def _derive(self, place: tuple[str, Key], derive: Callable[[], Awaitable[Arrays]]) -> Arrays:
        try:
            arrays = await derive()
        finally:
            del self._under_way[place]
        self._kept[place] = arrays
        while len(self._kept) > 1 and sum(map(_size_bytes, self._kept.values())) > self._budget_bytes:
            self._kept.popitem(last=False)
        return arrays


def _size_bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())
