"""Who clones, and whose voices there are, asked through the operations: for dialects that are about cloned voices."""

import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from basics.errors import Failure
from server.asking import answered

PAGE = 500
LONGEST_ID = 64


async def cloning(request: Request) -> str | None:
    """The server's default model if it clones, else the first one served that does."""
    card = (await answered(request, {"op": "models.get"})).answer
    if card["clones"]:
        return str(card["id"])
    found = (await answered(request, {"op": "models.list", "clones": True, "served": True})).answer["models"]
    return str(found[0]["id"]) if found else None


async def cloning_or_refused(request: Request) -> str:
    model = await cloning(request)
    if model is None:
        raise Failure(
            "not_supported",
            "No model of this server clones voices.",
            hint="Serve a group that does, such as MODEL_GROUP=cloning, or MODEL_GROUP=pocket on a CPU.",
        )
    return model


async def everyone(request: Request, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of the library's voices that `voices.list` finds so."""
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        asked = {"op": "voices.list", **filters, "page": page, "page_size": PAGE}
        answer = (await answered(request, asked)).answer
        found += answer["voices"]
        if not answer["voices"] or len(found) >= answer["total"]:
            return found
        page += 1


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
