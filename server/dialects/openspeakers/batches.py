"""OpenSpeakers' batches: many lines, each a job of its own that fails alone, and all their sound in one zip."""

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from basics.errors import Failure
from operations.background import Background
from operations.hearing import Heard
from server.dialects.openspeakers.jobs import Asked, Jobs, base_of, submitted
from server.dialects.openspeakers.shapes import STATUSES, TEXT_CHARS, JobBody, job_body, routes
from server.replies import Streamed
from server.zips import Entry, zipped
from store.history import record

router = routes("batches", "/api/tts")

MOST = 100
Line = Annotated[str, Field(max_length=100_000)]


class BatchRequest(Asked):
    lines: list[Line] = Field(min_length=1, max_length=MOST, description="Empty ones are left out.")


class BatchResponse(BaseModel):
    batch_id: str
    job_ids: list[str]
    total: int


class BatchBody(BaseModel):
    batch_id: str
    total: int
    status_counts: dict[str, int]
    jobs: list[JobBody]


@router.post("/batch", status_code=202, summary="Accept up to 100 lines, each a job of its own")
async def batch(asked: BatchRequest, jobs: Jobs) -> BatchResponse:
    lines = [line.strip() for line in asked.lines if line.strip()]
    if not lines:
        raise Failure("invalid_input", "`lines`: give at least one that is not empty.", field="lines")
    shared = asked.shared()
    jobs.check(shared | {"text": "All that is not the text."})
    id = str(uuid.uuid4())
    accepted: list[str] = []
    try:
        for line in lines:
            accepted.append(await submitted(jobs, shared | {"text": line}, batch=id))
    except Failure:
        for job in accepted:
            await jobs.cancel(job)
        raise
    return BatchResponse(batch_id=id, job_ids=accepted, total=len(accepted))


@router.get("/batches/{batch_id}", summary="How a batch stands, in the order of its lines")
async def one(
    request: Request,
    batch_id: str,
    jobs: Jobs,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=500)] = 100,
) -> BatchBody:
    records = await members(jobs, batch_id)
    shown = records[(page - 1) * page_size : page * page_size]
    return BatchBody(
        batch_id=batch_id,
        total=len(records),
        status_counts=Counter(str(STATUSES[each.state]) for each in records),
        jobs=[job_body(each, base_of(request), TEXT_CHARS) for each in shown],
    )


@router.get(
    "/batches/{batch_id}/zip",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
    summary="What is complete of a batch, packed while it is sent",
)
async def packed(batch_id: str, jobs: Jobs) -> Response:
    done = [
        (number, each)
        for number, each in enumerate(await members(jobs, batch_id), 1)
        if each.state == "done" and each.format
    ]
    if not done:
        raise Failure("not_found", "No job of this batch is complete.", field="batch_id", retryable=True)
    entries = (Entry(f"{number:03d}_{each.id}", await heard(jobs, each.id)) for number, each in done)
    name = f'attachment; filename="batch_{batch_id}.zip"'
    return Streamed(zipped(entries), "application/zip", {"Content-Disposition": name})


async def heard(jobs: Background, id: str) -> Heard | Failure:
    try:
        return await jobs.hear(id)
    except Failure as gone:
        return gone


async def members(jobs: Background, id: str) -> Sequence[record.Record]:
    """In the order in which they were sent. Raises `not_found`."""
    found = (await jobs.page(record.Query(batch=id, page_size=500))).records if id else ()
    if not found:
        raise Failure("not_found", "There is no such batch.", field="batch_id")
    return found[::-1]
