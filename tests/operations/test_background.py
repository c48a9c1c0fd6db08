import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from basics.events import Audio, Done, Event, Started
from operations.background import Background, Perform
from operations.house import House
from operations.job import Job
from tests.houses import decoded, standing

HELLO = {"text": "Good morning, and welcome."}


@asynccontextmanager
async def running(
    folder: Path, perform: Perform | None = None, **given: Any
) -> AsyncGenerator[tuple[House, Background]]:
    async with standing(folder, MODE="http") as house:
        background = Background(house, perform, **given)
        await background.start()
        try:
            yield house, background
        finally:
            await background.drain(0)


def held_up(gate: asyncio.Event, begun: list[str]) -> Perform:
    async def perform(job: Job) -> AsyncGenerator[Event, None]:
        begun.append(job.id)
        yield Started("tone", "sine", "en", 24_000, "pcm", 1, 5)
        yield Audio(0, b"first", 0.0, 0.1)
        await gate.wait()
        yield Audio(1, b"second", 0.1, 0.1)
        yield Done({"model": "tone", "voice": "sine", "audio": {"format": "pcm", "bytes": 11, "duration": 0.2}})

    return perform


async def test_a_submitted_job_is_done_and_its_sound_can_be_fetched(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        id = await background.submit(Job("one", HELLO))
        result = await background.result(id, wait_seconds=20)
        assert result is not None
        assert (result.record.state, result.error) == ("done", None)
        assert result.answer is not None
        assert result.answer["model"] == "tone"
        heard = await background.hear(id)
        assert heard.path is not None
        assert decoded(heard.path.read_bytes())[1] == 24_000
        assert heard.content_type == "audio/wav"


async def test_watchers_who_come_early_and_late_hear_the_same(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with running(tmp_path, held_up(gate, [])) as (_, background):
        id = await background.submit(Job("one", HELLO))
        early = asyncio.create_task(everything(background, id))
        await heard_of(background, id, Audio)
        gate.set()
        late = await everything(background, id)
        assert [type(event) for event in late] == [Started, Audio, Audio, Done]
        assert b"".join(event.data for event in late if isinstance(event, Audio)) == b"firstsecond"
        assert await early == late
        assert background.heard(id, since=3) == late[3:]


async def heard_of(background: Background, id: str, kind: type[Event]) -> None:
    """Returns when the job has said something of the kind."""
    async with aclosing(background.watch(id)) as events:
        async for event in events:
            if isinstance(event, kind):
                return


async def everything(background: Background, id: str) -> list[Event]:
    return [event async for event in background.watch(id)]
