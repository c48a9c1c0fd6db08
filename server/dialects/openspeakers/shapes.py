"""What all of OpenSpeakers' routes share: the shape of an error, and of a job."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from basics.errors import Failure
from server import keys
from server.replies import complaint, faults, shaped
from store.history.record import Record, State

Status = Literal["pending", "running", "complete", "failed", "cancelled"]
STATES: dict[Status, State] = {
    "pending": "pending",
    "running": "running",
    "complete": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
STATUSES: dict[State, Status] = {state: status for status, state in STATES.items()}
TEXT_CHARS = 4096
"""Of a job's text, in a list."""


class ErrorBody(BaseModel):
    error: str
    detail: str
    status_code: int
    code: str
    field: str | None = None
    hint: str | None = None
    retryable: bool


def error(failure: Failure) -> Response:
    """`error` and `status_code` are theirs; FastAPI's `detail` is what the rest of their routes answer with."""
    told = failure.as_dict()
    message = told.pop("message")
    return complaint(failure, {"error": message, "detail": message, "status_code": failure.status} | told)


def routes(tag: str, prefix: str) -> APIRouter:
    return APIRouter(
        prefix=prefix,
        tags=[f"OpenSpeakers: {tag}"],
        route_class=shaped(error),
        dependencies=[Depends(keys.checked)],
        responses=faults(ErrorBody),
    )


class JobBody(BaseModel):
    id: str
    model_id: str
    text: str
    voice_id: str | None
    voice_profile_id: None = None
    parameters: dict[str, Any] | None
    status: Status
    error_message: str | None
    error_code: str | None
    output_path: str | None
    """Where the sound is fetched; no file's path leaves the worker."""
    audio_url: str | None
    duration_seconds: float | None
    processing_time_ms: int | None
    created_at: datetime
    completed_at: datetime | None
    batch_id: str | None
    celery_task_id: None = None
    speaker_similarity: float | None = None


def job_body(record: Record, base: str, chars: int | None = None) -> JobBody:
    """`base`: what stands before `/api` in addresses."""
    done = record.state == "done"
    address = audio_address(record.id, base) if done and record.format else None
    return JobBody(
        id=record.id,
        model_id=record.model,
        text=record.text[:chars],
        voice_id=record.voice or None,
        parameters={"output_format": record.format} if record.format else None,
        status=STATUSES[record.state],
        error_message=record.message or None,
        error_code=record.code or None,
        output_path=address,
        audio_url=address,
        duration_seconds=record.duration if done else None,
        processing_time_ms=_milliseconds(record),
        created_at=moment(record.created),
        completed_at=None if record.ended is None else moment(record.ended),
        batch_id=record.batch or None,
    )


def audio_address(id: str, base: str) -> str:
    return f"{base}/api/tts/jobs/{id}/audio"


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _milliseconds(record: Record) -> int | None:
    if record.started is None or record.ended is None:
        return None
    return round((record.ended - record.started) * 1000)
