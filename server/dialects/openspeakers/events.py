"""OpenSpeakers' job socket: what happens to a job, from its first moment, however late somebody comes.

`type` and `step` are theirs, `event` is the same in the contract's words. Sound is sent while it is made: as plain
samples where the job makes a WAV, else as the next part of its file.
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, WebSocket

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Progress, Started
from operations.background import Background, unknown
from server import keys
from server.asking import background_of
from server.dialects.openspeakers.shapes import audio_address
from server.sockets import Message, part, refuse, tell
from speech.riff import samples_at

router = APIRouter(tags=["OpenSpeakers: events"])


class Teller:
    """One watcher's telling of one job."""

    def __init__(self, id: str, base: str) -> None:
        self.id, self.base = id, base
        self._started: Started | None = None
        self._chars = self._chunks = 0

    def told(self, event: Event) -> Message | None:
        match event:
            case Started():
                self._started = event
                about = {"model_id": event.model, "voice_id": event.voice, "segments": event.segments}
                return self._step("generating", "generating", 0, f"Generating {event.characters} characters") | about
            case Audio():
                return self._chunk(event)
            case Progress():
                return self._step("generating", "generating", self._percent(event.segments_done / event.segments))
            case Done():
                return self._complete(event.answer)
            case Failed():
                return broken(event.error) | {"job_id": self.id}

    def queued(self) -> dict[str, Any]:
        detail = "Job queued, waiting for a place"
        return {"type": "status", "event": "queued", "status": "pending", "step": "queued", "detail": detail}

    def loading(self) -> dict[str, Any]:
        return self._step("loading", "model_loading", 0, "Loading the model, if it is not there") | {
            "status": "running"
        }

    def _chunk(self, event: Audio) -> dict[str, Any] | None:
        started = self._started
        if started is None:
            return None
        data, format = event.data, started.format
        if format == "wav":
            data, format = data[(samples_at(data) or 0) if not self._chunks else 0 :], "pcm16"
        self._chars += len(event.text)
        self._chunks += 1
        return {
            "type": "audio_chunk",
            "event": "audio_chunk",
            "chunk_data": base64.b64encode(data).decode(),
            "chunk_index": event.seq,
            "sample_rate": started.sample_rate,
            "format": format,
            "start": event.start,
            "duration": event.duration,
            "percent": self._percent(self._chars / max(1, started.characters)),
        }

    def _complete(self, answer: dict[str, Any]) -> dict[str, Any]:
        audio = answer.get("audio") or {}
        timings = answer.get("timings") or {}
        return {
            "type": "complete",
            "event": "complete",
            "step": "complete",
            "status": "complete",
            "job_id": self.id,
            "audio_url": audio_address(self.id, self.base),
            "duration": audio.get("duration"),
            "processing_ms": round(float(timings.get("total", 0.0)) * 1000),
        }

    def _step(self, event: str, step: str, percent: int, detail: str = "") -> dict[str, Any]:
        told = {"type": "progress", "event": event, "step": step, "percent": percent}
        return told | ({"detail": detail} if detail else {})

    def _percent(self, share: float) -> int:
        """A hundred is what `complete` says."""
        return min(99, round(100 * share))


@router.websocket("/ws/jobs/{job_id}")
async def watched(socket: WebSocket, job_id: str) -> None:
    await socket.accept()
    try:
        keys.admitted(socket)
        jobs = await background_of(socket)
        if await jobs.result(job_id) is None:
            raise unknown(job_id)
    except Failure as failure:
        await refuse(socket, broken(failure))
        return
    teller = Teller(job_id, str(socket.scope.get("root_path", "")))
    if await tell(socket, messages(jobs, teller)):
        await part(socket)


async def messages(jobs: Background, teller: Teller) -> AsyncGenerator[Message, None]:
    yield teller.queued()
    await jobs.begun(teller.id)
    yield teller.loading()
    try:
        async with aclosing(jobs.watch(teller.id)) as events:
            async for event in events:
                if (message := teller.told(event)) is not None:
                    yield message
    except Failure as failure:
        yield broken(failure) | {"job_id": teller.id}


def broken(failure: Failure) -> dict[str, Any]:
    status = "cancelled" if failure.code == "cancelled" else "failed"
    return {"type": "error", "event": "failed", "step": "error", "status": status, **failure.as_dict()}
