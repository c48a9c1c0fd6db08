"""A server whose executor speaks as fast as it plays and computes nothing, so that what is left is HTTP.

`python -m bench.paced` prints its port.
"""

import asyncio
from collections.abc import AsyncGenerator

import uvicorn

from basics.errors import Failure
from basics.events import Audio, Done, Event, Started
from basics.settings import Settings
from operations.background import Background
from operations.job import Job
from server.app import made
from server.executor import Readiness
from server.serving import listening

RATE, CHUNK_SECONDS = 24_000, 0.1
SOUND = bytes(int(RATE * CHUNK_SECONDS) * 2)


class Paced:
    async def perform(self, job: Job) -> AsyncGenerator[Event, None]:
        yield Started("paced", "nobody", "en", RATE, "pcm", 1, 1)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for seq in range(int(float(job.input["text"]) / CHUNK_SECONDS)):
            await asyncio.sleep(began + seq * CHUNK_SECONDS - loop.time())
            yield Audio(seq, SOUND, seq * CHUNK_SECONDS, CHUNK_SECONDS)
        yield Done({"audio": {"format": "pcm"}})

    async def readiness(self) -> Readiness:
        return Readiness(True)

    async def metrics(self) -> str:
        return ""

    async def background(self) -> Background:
        raise Failure("not_supported", "It speaks while somebody listens.")

    async def close(self) -> None:
        return None


def main() -> None:
    listener = listening("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(made(Settings.read({}), Paced), log_config=None, access_log=False)
    asyncio.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    main()
