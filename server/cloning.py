"""Who clones, asked through the operations: for dialects that are about cloned voices."""

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection, Request

from basics.errors import Failure
from server.asking import answer, answered, executor_of, job_of
from server.executor import Executor

LONGEST_ID = 64


async def cloning(connection: HTTPConnection) -> str | None:
    """The server's default model if it clones, else the first one served that does. Once found it stays the same."""
    state = connection.app.state
    known: str | None = getattr(state, "cloning", None)
    if known is None:
        state.cloning = known = await _found(executor_of(connection))
    return known


async def cloning_or_refused(connection: HTTPConnection) -> str:
    model = await cloning(connection)
    if model is None:
        raise Failure(
            "not_supported",
            "No model of this server clones voices.",
            hint="Serve a group that does, such as MODEL_GROUP=cloning, or MODEL_GROUP=pocket on a CPU.",
        )
    return model


async def named(request: Request, asked: Mapping[str, Any], id: str) -> dict[str, Any]:
    """A new voice under this id, or under one like it where that is taken: names need not be unique."""
    id = id or f"voice-{uuid.uuid4().hex[:12]}"
    try:
        return dict((await answered(request, {**asked, "id": id})).answer["voice"])
    except Failure as failure:
        if failure.code != "voice_exists":
            raise
    other = f"{id[: LONGEST_ID - 9]}-{uuid.uuid4().hex[:8]}"
    return dict((await answered(request, {**asked, "id": other})).answer["voice"])


async def _found(executor: Executor) -> str | None:
    card = (await answer(executor, job_of({"op": "models.get"}))).answer
    if card["clones"]:
        return str(card["id"])
    listed = (await answer(executor, job_of({"op": "models.list", "clones": True, "served": True}))).answer
    return next((str(each["id"]) for each in listed["models"]), None)
