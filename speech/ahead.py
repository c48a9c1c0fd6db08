"""Run ahead: a generator in a task of its own, so that it works while its reader is busy elsewhere.

What it brought meanwhile is handed over together. It stops when `limit` is held untaken, so that a slow reader
bounds memory; closing it closes the generator at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    def __init__(self, source: AsyncGenerator[T, None], limit: float, weight: Callable[[T], float]) -> None:
        self._source = source
        self._limit = limit
        self._weight = weight
        self._items: list[T] = []
        self._held = 0.0
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def take(self) -> list[T]:
        """All that is there, at least one; empty when there is no more. Raises what the generator raised."""
        while not self._items and not self._task.done():
            self._news.clear()
            await self._news.wait()
        items, self._items, self._held = self._items, [], 0.0
        self._room.set()
        if not items and self._error is not None:
            raise self._error
        return items

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        try:
            async with aclosing(self._source) as source:
                async for item in source:
                    await self._put(item)
        except Exception as error:  # noqa: BLE001 raised again in the reader
            self._error = error
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)

    async def _put(self, item: T) -> None:
        self._items.append(item)
        self._held += self._weight(item)
        self._news.set()
        while self._held >= self._limit:
            self._room.clear()
            await self._room.wait()
