"""RunPod's own API, so that its clients work here as they do against an endpoint, which this server is as a whole.

Whatever id stands in the address, jobs go where their model is. `/run` with `Accept: application/x-ndjson` answers
with the job's events on the same response, as they come; the platform itself does not know that and gives an id.
"""

import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from basics.errors import Failure
from operations.job import Job
from operations.queue import job_of
from server import keys
from server.asking import attended, executor_of
from server.desk import Desk
from server.lines import MEDIA_TYPE, lines
from server.replies import Plain, Streamed, faults, plain, shaped

SYNC_SECONDS = 90.0
Milliseconds = Annotated[int, Field(ge=1000, le=300_000)]


class Policy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    executionTimeout: Annotated[int, Field(ge=5000, le=604_800_000, description="Milliseconds.")] | None = None
    lowPriority: Literal[False] = Field(False, description="There are no workers to scale up here.")


class RunRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: dict[str, Any] = Field(description="As in docs/api.md: the job.")
    s3Config: dict[str, Any] | None = Field(None, description="A bucket for this job.")
    policy: Policy = Policy()
    webhook: str | None = Field(None, description="Not supported: refused.")


class State(BaseModel):
    """A job as it stands."""

    id: str
    status: Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]
    delayTime: int | None = Field(None, description="Milliseconds in line.")
    executionTime: int | None = Field(None, description="Milliseconds of work.")
    output: list[dict[str, Any]] | None = Field(None, description="The answer, alone in a list.")
    error: str | None = Field(None, description="The error object, as a JSON string.")


class Chunk(BaseModel):
    output: dict[str, Any]


class StreamState(BaseModel):
    status: str
    stream: list[Chunk] = Field(description="What was said since the last asking.")


class Health(BaseModel):
    jobs: dict[str, int]
    workers: dict[str, int]


class Purged(BaseModel):
    removed: int
    status: Literal["completed"] = "completed"


router = APIRouter(
    prefix="/v2/{endpoint}",
    tags=["RunPod"],
    route_class=shaped(plain),
    dependencies=[Depends(keys.checked)],
    responses=faults(Plain),
)


@router.post("/run", response_model=State, responses={200: {"content": {MEDIA_TYPE: {}}}})
async def run(request: Request, endpoint: str, asked: RunRequest) -> Response:
    job = _job(asked)
    if MEDIA_TYPE in request.headers.get("accept", ""):
        told = lines(executor_of(request), job)
        return Streamed(_after(await attended(request, anext(told)), told), MEDIA_TYPE)
    ticket = _desk(request).hand_in(job, seconds=_seconds(asked))
    return JSONResponse({"id": ticket.job.id, "status": ticket.state})


@router.post("/runsync", response_model=State)
async def run_sync(
    request: Request, endpoint: str, asked: RunRequest, wait: Annotated[Milliseconds | None, Query()] = None
) -> Response:
    """The answer, or how the job stands after `wait` milliseconds."""
    seconds = SYNC_SECONDS if wait is None else wait / 1000
    desk = _desk(request)
    ticket = desk.hand_in(_job(asked, "sync-"), sync=True, seconds=_seconds(asked))
    try:
        await attended(request, desk.until(ticket, seconds))
    except Failure as failure:
        if failure.code == "cancelled":
            await desk.cancel(ticket)
        raise
    return JSONResponse(ticket.told())


@router.get("/status/{job}", response_model=State)
async def status(request: Request, endpoint: str, job: str) -> Response:
    return JSONResponse(_desk(request).find(job).told())


@router.get("/stream/{job}", response_model=StreamState)
async def stream(request: Request, endpoint: str, job: str) -> Response:
    ticket = _desk(request).find(job)
    return JSONResponse({"status": ticket.state, "stream": [{"output": said} for said in ticket.read()]})


@router.post("/cancel/{job}", response_model=State)
async def cancel(request: Request, endpoint: str, job: str) -> Response:
    desk = _desk(request)
    ticket = desk.find(job)
    await desk.cancel(ticket)
    return JSONResponse({"id": job, "status": ticket.state})


@router.get("/health", response_model=Health)
async def health(request: Request, endpoint: str) -> Response:
    counts = _desk(request).counts()
    ready = (await executor_of(request).readiness()).ready
    running = counts["IN_PROGRESS"]
    jobs = {"completed": counts["COMPLETED"], "failed": counts["FAILED"], "inProgress": running}
    jobs |= {"inQueue": counts["IN_QUEUE"], "retried": 0}
    workers = {"idle": int(ready and not running), "running": int(running > 0), "initializing": int(not ready)}
    return JSONResponse({"jobs": jobs, "workers": workers})


@router.post("/purge-queue", response_model=Purged)
async def purge(request: Request, endpoint: str) -> Response:
    return JSONResponse({"removed": await _desk(request).purge(), "status": "completed"})


async def _after(first: bytes, rest: Any) -> Any:
    try:
        yield first
        async for line in rest:
            yield line
    finally:
        await rest.aclose()


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _job(asked: RunRequest, prefix: str = "") -> Job:
    if asked.webhook is not None:
        raise Failure("not_supported", "This server calls no webhooks: ask `/status`.", field="webhook")
    return job_of({"id": f"{prefix}{uuid.uuid4()}", "input": asked.input, "s3Config": asked.s3Config})


def _seconds(asked: RunRequest) -> float | None:
    timeout = asked.policy.executionTimeout
    return None if timeout is None else timeout / 1000
