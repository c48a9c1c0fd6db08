import asyncio
import time

from basics.lag import EVERY_SECONDS, Lag


async def test_a_loop_that_computes_is_late() -> None:
    lag, needed = Lag(), True
    lag.watch(lambda: needed)
    lag.watch(lambda: needed)
    await asyncio.sleep(0)
    time.sleep(EVERY_SECONDS + 0.1)  # noqa: ASYNC251 what it is about
    async with asyncio.timeout(60):
        while lag.worst == 0.0:  # noqa: ASYNC110 the loop itself makes it true
            await asyncio.sleep(0.01)
    assert lag.worst >= 0.1
    needed = False
