"""`batch`: up to a hundred speak inputs in one job, side by side, each failing alone; one zip of them where asked.

What an answer holds inline is shared evenly. Everything about one item is speak's business.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from basics.errors import Failure
from basics.events import Done, Event, Failed, Progress
from basics.limits import json_bytes
from operations import speak
from operations.house import House
from operations.inputs import Input
from operations.job import Job
from operations.parcels import Parcel
from operations.records import Line
from speech.delivery import Delivery
from speech.report import MOST_TEXTS

MOST_ITEMS = 100
SIDE_BY_SIDE = 8
"""Items under way at once: enough to fill the card, few enough that other jobs get a turn."""
PROGRESS_SECONDS = 2.0
TEXTS_BYTES = 1_500_000
"""Of all that is told of the items beside their sound; above it the segments go without their texts."""


class BatchInput(Input):
    items: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1, max_length=MOST_ITEMS)]
    defaults: dict[str, Any] = {}
    zip: bool = False
    s3: dict[str, Any] | None = Field(None, alias="s3Config", repr=False)


@dataclass(frozen=True, slots=True)
class Item:
    index: int
    id: str | None
    job: Job | None
    """None of an item that is wrong in itself."""
    wrong: Failure | None = None

    def told(self, status: str, rest: dict[str, Any]) -> dict[str, Any]:
        named = {} if self.id is None else {"id": self.id}
        return {"index": self.index, **named, "status": status, **rest}


async def batch(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = BatchInput.parse(job.input)
    s3 = asked.s3 if job.s3 is None else job.s3
    items = [read(index, given, asked, replace(job, s3=s3)) for index, given in enumerate(asked.items)]
    parcel = await Parcel.begun(await Delivery.of_job(house.settings, house.bucket, s3)) if asked.zip else None
    told: list[dict[str, Any]] = [{}] * len(items)
    last_told = time.monotonic()
    stored: list[AsyncGenerator[Event, None]] = []
    try:
        async with aclosing(side_by_side(items, house, parcel, stored)) as ended:
            async for count, (index, answer) in numbered(ended):
                told[index] = answer
                if time.monotonic() - last_told >= PROGRESS_SECONDS:
                    last_told = time.monotonic()
                    yield Progress(count, len(items), seconds(told))
        if job.cancel.is_set():
            raise Failure("cancelled", "The job was cancelled.")
        rest = {} if parcel is None else {"zip": await parcel.delivered(job)}
        yield Done({"items": lightened(told), "counts": counts(told), **rest})
    finally:
        for road in stored:
            await road.aclose()
        if parcel is not None:
            await asyncio.shield(asyncio.to_thread(parcel.close))


def read(index: int, given: dict[str, Any], asked: BatchInput, job: Job) -> Item:
    input = {**asked.defaults, **given}
    id = input.pop("id", None)
    field = f"items[{index}]"
    if id is not None and not (isinstance(id, str) and 0 < len(id) <= 128):
        return Item(index, None, None, _wrong(f"{field}.id", "takes a string of 1 to 128 characters"))
    if input.get("op", "speak") != "speak":
        return Item(index, id, None, _wrong(f"{field}.op", "is `speak` in a batch, or left out"))
    if input.get("delivery") == "stream":
        return Item(index, id, None, _wrong(f"{field}.delivery", "cannot be `stream` in a batch"))
    if asked.zip:
        if input.get("delivery", "auto") != "auto":
            return Item(index, id, None, _wrong(f"{field}.delivery", "has no meaning with `zip`: leave it out"))
        input["delivery"] = "inline"
    share = replace(job, id=f"{job.id}-{index}", input=input, share=len(asked.items), wide=job.wide or asked.zip)
    share = replace(share, batch=job.batch or job.id, accepted=False)
    return Item(index, id, share)


async def side_by_side(
    items: list[Item], house: House, parcel: Parcel | None, stored: list[AsyncGenerator[Event, None]]
) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
    """Each item's answer as it ends. The roads of what was stored are left open: closing one after a cancel takes its
    file away again."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    tasks = {asyncio.create_task(spoken(item, house, room, parcel, stored)) for item in items}
    try:
        for ended in asyncio.as_completed(tasks):
            yield await ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def spoken(
    item: Item,
    house: House,
    room: asyncio.Semaphore,
    parcel: Parcel | None,
    stored: list[AsyncGenerator[Event, None]],
) -> tuple[int, dict[str, Any]]:
    async with room:
        try:
            if item.job is None:
                raise item.wrong or Failure("internal", "The item has no job.")
            done = await whole(item.job, house, stored)
            answer = dict(done.answer)
            if done.data is not None and parcel is not None:
                name = await asyncio.to_thread(parcel.add, item.index, item.id, answer["audio"], done.data)
                answer["audio"] = {**answer["audio"], "name": name}
            elif done.data is not None:
                answer["audio"] = {**answer["audio"], "data": done.data}
            return item.index, item.told("done", answer)
        except Failure as failure:
            status = "cancelled" if failure.code == "cancelled" else "failed"
            return item.index, item.told(status, failure.as_dict())


async def whole(job: Job, house: House, stored: list[AsyncGenerator[Event, None]]) -> Done:
    road = speak.speak(job, house)
    line = Line.begun(job, house)
    done: Done | None = None
    try:
        async for event in road:
            if line is not None:
                line.hear(event)
            if isinstance(event, Done):
                done = event
                break
    except Failure as failure:
        if line is not None:
            line.hear(Failed(failure))
        raise
    finally:
        if line is not None:
            line.end()
        if done is not None and done.data is None:
            stored.append(road)
        else:
            await road.aclose()
    if done is None:
        raise Failure("internal", "The item ended without an answer.")
    return done


async def numbered(ended: AsyncIterator[Any]) -> AsyncGenerator[tuple[int, Any], None]:
    count = 0
    async for each in ended:
        count += 1
        yield count, each


def seconds(told: list[dict[str, Any]]) -> float:
    return float(round(sum(each.get("audio", {}).get("duration", 0.0) for each in told), 3))


def counts(told: list[dict[str, Any]]) -> dict[str, int]:
    found = Counter(each["status"] for each in told)
    return {status: found[status] for status in ("done", "failed", "cancelled")}


def lightened(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the segments' texts, where they are too many or too long for one answer."""
    segments = [segment for each in told for segment in each.get("segments", ())]
    if len(segments) > MOST_TEXTS or json_bytes(segments) > TEXTS_BYTES:
        for segment in segments:
            segment.pop("text", None)
    return told


def _wrong(field: str, what: str) -> Failure:
    return Failure("invalid_input", f"`{field}` {what}.", field=field)
