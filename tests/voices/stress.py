"""Many workers upon one library at once, each a process of its own that has no other way to know of others.

What they promise is checked on the way and at the end: nothing lost, nothing half-read, nothing left over.
"""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from basics.errors import Failure
from store.objects import Objects
from tests.voices.recordings import hertz, record, reference
from voices.library import Library, Rules
from voices.record import Record

SHARED = ("same-1", "same-2", "same-3")
COUNTED = "counted"
EXPECTED = {"voice_exists", "unknown_voice"}
"""What a worker may hear when others were quicker."""
START_SECONDS = 6.0
"""By then eight processes have imported what they need; on a busy machine one comes late and works on alone."""
RULES = Rules(watch_seconds=0.2)


@dataclass
class Tally:
    steps: int = 0
    reads: int = 0
    tags: list[str] = field(default_factory=list)
    """Which this worker was told it had added to the voice that nobody deletes."""
    own: dict[str, str] = field(default_factory=dict)
    """Voices of its own, and what each says of itself."""


def stressed(place: Callable[[], Objects], workers: int, seconds: float) -> list[Tally]:
    """Each worker for so long, all at once: `place` is called in each."""
    asyncio.run(_prepared(place()))
    begun = time.monotonic() + START_SECONDS
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        tallies = list(pool.map(partial(_worker, place, begun, seconds), range(workers)))
    asyncio.run(_checked(place(), tallies))
    return tallies


def _worker(place: Callable[[], Objects], begun: float, seconds: float, number: int) -> Tally:
    time.sleep(max(0.0, begun - time.monotonic()))
    return asyncio.run(_work(number, place(), time.monotonic() + seconds))


async def _prepared(objects: Objects) -> None:
    await Library(objects, RULES).create(record(COUNTED), reference(), replace=True)


async def _work(number: int, objects: Objects, end: float) -> Tally:
    voices, tally, draw = Library(objects, RULES), Tally(), random.Random(number)
    while time.monotonic() < end or tally.steps < 5:
        tally.steps += 1
        for step in (_share, _count, _keep):
            try:
                await step(number, voices, tally, draw)
            except Failure as failure:
                if failure.code not in EXPECTED:
                    raise
    return tally


async def _share(number: int, voices: Library, tally: Tally, draw: random.Random) -> None:
    """Voices that all of them make, change, hear and delete."""
    id, note = draw.choice(SHARED), draw.randrange(200, 2000, 20)
    match draw.randrange(5):
        case 0:
            await voices.create(record(id, description=str(note)), reference(note))
        case 1:
            await voices.create(record(id, description=str(note)), reference(note), replace=True)
        case 2:
            await voices.update(id, lambda known: known.model_copy(update={"name": f"by {number}"}))
        case 3:
            await voices.delete(id)
        case _:
            await voices.records()
    try:
        known, samples, _ = await voices.sound(id)
    except Failure as failure:
        if failure.code != "unknown_voice":
            raise
        return
    assert hertz(samples) == int(known.description), "a record and another's recording"
    tally.reads += 1


async def _count(number: int, voices: Library, tally: Tally, draw: random.Random) -> None:
    """A voice that all of them change and nobody deletes."""
    tag = f"{number}-{tally.steps}"

    def tagged(known: Record) -> Record:
        return known.model_copy(update={"tags": (*known.tags, tag)})

    await voices.update(COUNTED, tagged)
    tally.tags.append(tag)


async def _keep(number: int, voices: Library, tally: Tally, draw: random.Random) -> None:
    """Voices that are one worker's alone."""
    id = f"own-{number}-{draw.randrange(3)}"
    if id in tally.own and draw.random() < 0.3:
        await voices.delete(id)
        del tally.own[id]
    elif id in tally.own:
        said = f"changed at step {tally.steps}"
        await voices.update(id, lambda known: known.model_copy(update={"name": said}))
        tally.own[id] = said
    else:
        said = f"made at step {tally.steps}"
        await voices.create(record(id, name=said), reference(300 + 20 * number))
        tally.own[id] = said


async def _checked(objects: Objects, tallies: list[Tally]) -> None:
    voices = Library(objects, RULES)
    found = {each.id: each for each in await voices.records()}
    assert sorted(found[COUNTED].tags) == sorted(tag for tally in tallies for tag in tally.tags)
    own = {id: said for tally in tallies for id, said in tally.own.items()}
    assert {id: each.name for id, each in found.items() if id.startswith("own-")} == own
    for id in found:
        await voices.sound(id)
    kept = [entry.key for entry in objects.list() if entry.key.endswith(".flac") and entry.key.startswith("own-")]
    assert sorted(kept) == sorted(f"{id}/{found[id].audio}" for id in own)
