"""`jobs.*`: what was asked before, its sound again, and stopping what still runs."""

import json
from collections.abc import AsyncGenerator, Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from basics.errors import Failure
from basics.events import Done, Event
from operations.hearing import sound
from operations.house import House
from operations.inputs import Input
from operations.job import Job
from store.history.record import Query, Record

PAGE_BYTES = 400_000
"""Of one page as JSON, so that the stream shows it whole."""
FARTHEST = 10_000_000
"""Rows that a page may lie behind the newest."""

Name = Annotated[str, Field(min_length=1, max_length=128)]


class ListInput(Input):
    page: int = Field(1, ge=1, le=FARTHEST)
    page_size: int = Field(50, ge=1, le=500)
    status: Literal["pending", "running", "done", "failed", "cancelled"] | None = None
    model: Name | None = None
    voice: Name | None = None
    batch: Name | None = None
    search: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    def query(self) -> Query:
        return Query(
            page=self.page,
            page_size=self.page_size,
            state=self.status or "",
            model=self.model or "",
            voice=self.voice or "",
            batch=self.batch or "",
            search=self.search or "",
        )


class OneInput(Input):
    id: Annotated[str, Field(min_length=1, max_length=256)]


async def list_jobs(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = ListInput.parse(job.input)
    if asked.model:
        asked = asked.model_copy(update={"model": house.catalogue.look(asked.model).id})
    page = await house.recall.ask(house.history.page, asked.query())
    told = {"jobs": list(_fitting(page.records)), "page": asked.page, "page_size": asked.page_size}
    yield Done(told | {"total": page.total, "more": page.more, "warnings": list(page.warnings)})


async def get_job(job: Job, house: House) -> AsyncGenerator[Event, None]:
    yield Done({"job": (await recorded(OneInput.parse(job.input).id, house)).told()})


async def audio(job: Job, house: House) -> AsyncGenerator[Event, None]:
    record = await recorded(OneInput.parse(job.input).id, house)
    told, data = await sound(record, house, job.wide)
    url = told.get("url")
    yield Done({"audio": told} if url is None else {"audio": told, "audio_url": url}, data)


async def cancel(job: Job, house: House) -> AsyncGenerator[Event, None]:
    """Where this worker runs it, at once; elsewhere whoever does is asked, and looks every few seconds."""
    id = OneInput.parse(job.input).id
    if id in house.held:
        house.held[id]()
        yield Done({"cancelled": id})
        return
    here = [each for each in house.running if each.id == id and each is not job]
    for each in here:
        each.cancel.set()
    if here:
        yield Done({"cancelled": id})
        return
    record = await house.recall.ask(house.history.get, id)
    if record is not None and not record.open:
        raise Failure("not_found", f"The job has ended already: it is {record.state}.", field="id")
    seconds = None if record is None else await house.recall.ask(house.history.wish, id)
    if seconds is None:
        raise Failure(
            "not_found",
            "This worker does not run the job, and keeps no history that another would look into.",
            field="id",
            hint="On RunPod, `POST /v2/{endpoint}/cancel/{job}` cancels it wherever it runs.",
        )
    said = f"It runs elsewhere, where it is noticed within {seconds:g} s; RunPod's own cancel is at once."
    yield Done({"cancelled": id, "warnings": [said]})


async def recorded(id: str, house: House) -> Record:
    """Raises `not_found`."""
    record = await house.recall.ask(house.history.get, id)
    if record is None:
        raise Failure("not_found", "No job with this id is in the history.", field="id")
    return record


def _fitting(records: Iterable[Record]) -> Iterable[dict[str, Any]]:
    """As many as one page holds: each shows the beginning of its text only, so that all mostly do."""
    room = PAGE_BYTES
    for record in records:
        told = record.told(excerpt=True)
        room -= len(json.dumps(told))
        if room < 0:
            return
        yield told
