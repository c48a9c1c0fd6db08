"""OpenSpeakers' jobs: accepted at once, run while nobody waits, asked for later.

A job runs as a stream, so that whoever watches it hears it while it is made; joined, it is the job's file.
"""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from basics.errors import Failure
from operations.background import Background, unknown
from operations.errand import Result
from operations.job import Job
from server.asking import background_of
from server.dialects.openspeakers.shapes import (
    STATES,
    STATUSES,
    TEXT_CHARS,
    JobBody,
    Status,
    job_body,
    routes,
)
from server.kept import kept
from store.history import record

router = routes("jobs", "/api/tts")

Jobs = Annotated[Background, Depends(background_of)]
Format = Literal["wav", "mp3", "ogg", "opus", "flac", "aac"]
SOUND: dict[str, Any] = {kind: {} for kind in ("audio/wav", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aac")}


class Asked(BaseModel):
    """What one job and a batch have in common."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_id: str = Field(min_length=1, max_length=128)
    voice_id: str | None = Field(None, max_length=512, description="A preset's id, or that of a voice of yours.")
    speed: float = Field(1.0, ge=0.5, le=2.0)
    pitch: float = Field(0.0, ge=-12.0, le=12.0, description="Semitones.")
    language: str | None = Field(None, max_length=35, description="The voice's, else the model's, where left out.")
    output_format: Format = "wav"
    extra: dict[str, Any] = Field({}, description="The model's own knobs; `GET /api/models/{id}` has their schema.")
    keep_alive: int | None = Field(None, description="Refused: IDLE_UNLOAD and STANDBY say how long a model stays.")

    def shared(self) -> dict[str, Any]:
        """As speak takes it."""
        if self.keep_alive is not None:
            raise Failure(
                "not_supported",
                "`keep_alive` is not taken: how long a model stays is the server's to say.",
                field="keep_alive",
                hint="Whoever runs it sets IDLE_UNLOAD, STANDBY or PRELOAD.",
            )
        asked = {
            "model": self.model_id,
            "voice": self.voice_id or None,
            "language": self.language or None,
            "params": self.extra,
            "speed": self.speed,
            "pitch": self.pitch,
            "format": self.output_format,
            "delivery": "stream",
        }
        return {name: value for name, value in asked.items() if value is not None}


class GenerateRequest(Asked):
    text: str = Field(min_length=1, max_length=100_000)


class GenerateResponse(BaseModel):
    job_id: str
    status: Status = "pending"
    message: str = "Job queued"


class JobList(BaseModel):
    jobs: list[JobBody]
    total: int
    page: int
    page_size: int


@router.post("/generate", status_code=202, summary="Accept a job")
async def generate(asked: GenerateRequest, jobs: Jobs) -> GenerateResponse:
    return GenerateResponse(job_id=await submitted(jobs, asked.shared() | {"text": asked.text}))


@router.get("/jobs", summary="Jobs, the newest first")
async def listed(
    request: Request,
    jobs: Jobs,
    page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    model_id: Annotated[str, Query(max_length=128)] = "",
    status: Status | None = None,
    search: Annotated[str, Query(max_length=200)] = "",
    voice_id: Annotated[str, Query(max_length=128)] = "",
    batch_id: Annotated[str, Query(max_length=128)] = "",
) -> JobList:
    state = STATES[status] if status else ""
    asked = record.Query(page, page_size, state, model_id, voice_id, batch_id, search)
    found = await jobs.page(asked)
    rows = [job_body(each, base_of(request), TEXT_CHARS) for each in found.records]
    return JobList(jobs=rows, total=found.total, page=page, page_size=page_size)


@router.get("/jobs/{job_id}", summary="How a job stands")
async def one(request: Request, job_id: str, jobs: Jobs) -> JobBody:
    return job_body((await known(jobs, job_id)).record, base_of(request))


@router.delete("/jobs/{job_id}", status_code=204, summary="Cancel a job that has not ended")
async def cancel(job_id: str, jobs: Jobs) -> None:
    result = await known(jobs, job_id)
    if not await jobs.cancel(job_id):
        raise conflict(f"Cannot cancel a job with status: {STATUSES[result.record.state]}.")


@router.head("/jobs/{job_id}/audio", response_class=Response, include_in_schema=False)
@router.get(
    "/jobs/{job_id}/audio",
    response_class=Response,
    responses={200: {"content": SOUND}, 206: {"content": SOUND}, 416: {"description": "No such range"}},
    summary="A finished job's sound, whole or in ranges",
)
async def audio(job_id: str, jobs: Jobs) -> Response:
    result = await known(jobs, job_id)
    if result.record.state != "done":
        raise conflict(f"Job is {STATUSES[result.record.state]}, not complete.")
    return await kept(await jobs.hear(job_id), f"tts_{job_id}")


async def submitted(jobs: Background, input: Mapping[str, Any], batch: str = "") -> str:
    """What is wrong with it at first sight is said now; all else is the job's to say."""
    if not batch:
        jobs.check(input)
    return await jobs.submit(Job(str(uuid.uuid4()), dict(input), wide=True, batch=batch))


async def known(jobs: Background, id: str) -> Result:
    result = await jobs.result(id)
    if result is None:
        raise unknown(id)
    return result


def base_of(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def conflict(why: str) -> Failure:
    return Failure("key_conflict", why, field="job_id")
