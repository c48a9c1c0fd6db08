"""What took work to make, kept under a budget: made once for many askers, least recently used out.

For one event loop. It knows neither what it keeps nor how that is made.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    def __init__(self, budget_bytes: int, size_bytes: Callable[[V], int]) -> None:
        self._budget_bytes = budget_bytes
        self._size_bytes = size_bytes
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._under_way: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        """Made once, also when many ask at the same time; one asker's cancellation is not another's."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._under_way:
            task = self._under_way[key] = asyncio.ensure_future(self._make(key, make))
            task.add_done_callback(_heard)
        return await asyncio.shield(self._under_way[key])

    def drop(self, unwanted: Callable[[K], bool]) -> None:
        """Lets go; what is being made for somebody is still given to them, and not kept."""
        for key in [key for key in self._kept if unwanted(key)]:
            del self._kept[key]
        for key in [key for key in self._under_way if unwanted(key)]:
            del self._under_way[key]

    async def _make(self, key: K, make: Callable[[], Awaitable[V]]) -> V:
        mine = asyncio.current_task()
        try:
            value = await make()
            if self._under_way.get(key) is mine:
                self._kept[key] = value
                self._shrink()
            return value
        finally:
            if self._under_way.get(key) is mine:
                del self._under_way[key]

    def _shrink(self) -> None:
        """The newest stays, however large."""
        while len(self._kept) > 1 and sum(map(self._size_bytes, self._kept.values())) > self._budget_bytes:
            self._kept.popitem(last=False)


def _heard(task: "asyncio.Task[V]") -> None:
    """A failure whose askers have all left is nobody's any more."""
    if not task.cancelled():
        task.exception()
