"""Distance on loopback: a proxy that holds every byte back for half a round trip, each way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK = 65_536


@asynccontextmanager
async def far(address: str, round_trip: float) -> AsyncIterator[str]:
    """The address as seen from far away."""
    target = urlsplit(address)

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(target.hostname, target.port)
        tasks = [asyncio.ensure_future(_carried(*way, round_trip / 2)) for way in ((reader, back), (there, writer))]
        with contextlib.suppress(asyncio.CancelledError):  # the proxy is closed
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in (back, writer):
            each.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = await asyncio.start_server(joined, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """In order and as late for each piece, however many are on their way."""
    loop = asyncio.get_running_loop()
    on_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, data = await on_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            writer.write(data)
            if not data:
                return

    delivering = asyncio.ensure_future(deliver())
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                on_way.put_nowait((loop.time() + seconds, data))
        on_way.put_nowait((loop.time() + seconds, b""))
        await delivering
    finally:
        delivering.cancel()
