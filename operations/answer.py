"""One entry for every door: a job in, events out. Doors alone make JSON, base64, SSE or frames.

Whatever goes wrong ends in exactly one `Failed`; this is the house's one place that catches everything.
"""

import difflib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from basics.errors import Failure
from basics.events import Done, Event, Failed
from operations import batch, jobs, live, models, speak, system, voices
from operations.house import House
from operations.job import Job
from operations.records import Line
from operations.voice_trial import try_voice

log = logging.getLogger("worker.operations")

Operation = Callable[[Job, House], AsyncGenerator[Event, None]]

OPERATIONS: dict[str, Operation] = {
    "speak": speak.speak,
    "batch": batch.batch,
    "jobs.list": jobs.list_jobs,
    "jobs.get": jobs.get_job,
    "jobs.audio": jobs.audio,
    "jobs.cancel": jobs.cancel,
    "models.list": models.list_models,
    "models.get": models.get_model,
    "voices.create": voices.create,
    "voices.list": voices.list_voices,
    "voices.get": voices.get_voice,
    "voices.update": voices.update,
    "voices.delete": voices.delete,
    "voices.audio": voices.audio,
    "voices.test": try_voice,
    "system.health": system.health,
    "system.gpu": system.gpu,
    "system.warm": system.warm,
}

LATER = ("convert", "lexicons.put", "lexicons.list", "lexicons.delete")
"""Operations of the contract that this version does not have yet: refused, never ignored."""


async def answer(job: Job, house: House) -> AsyncGenerator[Event, None]:
    outcome = "cancelled"
    told: dict[str, Any] = {}
    house.running.add(job)
    house.lag.watch(lambda: bool(house.running))
    line = Line.begun(job, house)
    try:
        async with aclosing(_events(job, house)) as events:
            async for event in events:
                if line is not None:
                    line.hear(event)
                if isinstance(event, Done):
                    outcome, told = "done", event.answer
                elif isinstance(event, Failed):
                    outcome = event.error.code
                yield event
    finally:
        house.running.discard(job)
        house.metrics.ended(outcome, told)
        if line is not None:
            line.end()


async def _events(job: Job, house: House) -> AsyncGenerator[Event, None]:
    """The operation's, and one `Failed` in place of whatever it raises."""
    try:
        async with aclosing(_choose(job)(job, house)) as events:
            async for event in events:
                yield event
    except Failure as error:
        yield Failed(error)
    except Exception:  # The one catch-all: the traceback goes to the log, never to a caller.
        log.exception("job_broke", extra={"job": job.id})
        yield Failed(Failure("internal", "Something broke inside the worker; its log has the details."))


def _choose(job: Job) -> Operation:
    if not isinstance(job.input, dict):
        raise Failure("invalid_input", "`input` must be a JSON object.", field="input")
    if job.written is not None:
        return live.live
    if "openai_route" in job.input:
        raise Failure("not_supported", "`openai_route` is what RunPod's queue sends; here, send a plain job.")
    name = job.input.get("op", "speak")
    if isinstance(name, str) and name in OPERATIONS:
        return OPERATIONS[name]
    if isinstance(name, str) and name in LATER:
        raise Failure("not_supported", f"`{name}` is not built into this version.", field="op")
    near = difflib.get_close_matches(str(name)[:64], list(OPERATIONS), n=1)
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(OPERATIONS)}."
    raise Failure("invalid_input", "`op` names no operation.", field="op", hint=hint)
