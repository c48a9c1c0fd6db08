import asyncio
from collections.abc import AsyncGenerator

import pytest

from speech.ahead import Ahead


async def numbers(count: int, made: list[int], ended: list[bool] | None = None) -> AsyncGenerator[int, None]:
    try:
        for number in range(count):
            made.append(number)
            yield number
            await asyncio.sleep(0)
    finally:
        if ended is not None:
            ended.append(True)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_came_while_the_reader_was_busy_is_handed_over_together() -> None:
    ahead = Ahead(numbers(5, []), limit=100, weight=lambda _: 1)
    await settle()
    assert await ahead.take() == [0, 1, 2, 3, 4]
    assert await ahead.take() == []


async def test_a_reader_who_waits_gets_the_first_item_at_once() -> None:
    gate = asyncio.Event()

    async def slow() -> AsyncGenerator[str, None]:
        yield "first"
        await gate.wait()
        yield "second"

    ahead = Ahead(slow(), limit=100, weight=lambda _: 1)
    assert await ahead.take() == ["first"]
    gate.set()
    assert await ahead.take() == ["second"]
    assert await ahead.take() == []


async def test_a_slow_reader_bounds_what_is_made_ahead() -> None:
    made: list[int] = []
    ahead = Ahead(numbers(100, made), limit=3, weight=lambda _: 1)
    await settle()
    assert made == [0, 1, 2]
    assert await ahead.take() == [0, 1, 2]
    await settle()
    assert made == [0, 1, 2, 3, 4, 5]
    await ahead.close()


async def test_what_the_generator_raises_reaches_the_reader_after_what_it_brought() -> None:
    async def breaks() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("broken")

    ahead = Ahead(breaks(), limit=100, weight=lambda _: 1)
    await settle()
    assert await ahead.take() == [1]
    with pytest.raises(ValueError, match="broken"):
        await ahead.take()


async def test_closing_half_way_runs_the_generators_own_end() -> None:
    ended: list[bool] = []
    ahead = Ahead(numbers(100, [], ended), limit=2, weight=lambda _: 1)
    await ahead.take()
    await ahead.close()
    assert ended == [True]
