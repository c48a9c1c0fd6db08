"""Who can speak with a model: its presets and, where it clones, the library's voices. For doors that list voices.

It asks operations and nothing else, so that it does not matter where they run.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

Ask = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""From an operation's input to its answer. Raises its Failure."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class Speaker:
    id: str
    """As `voice` takes it."""
    name: str
    language: str = ""
    gender: str = ""
    description: str = ""
    own: bool = False
    """Whether it is one of the library's."""
    recording: str = ""
    """Under which id of the library its recording is heard, where it has one."""


async def speakers(ask: Ask, model: str | None = None) -> tuple[dict[str, Any], list[Speaker]]:
    """The model's card and who speaks with it; of the worker's default model where none is named."""
    card = await ask({"op": "models.get"} | ({"model": model} if model else {}))
    presets = [
        Speaker(each["id"], each["name"], each["language"], each["gender"], each["description"])
        for each in card["presets"]
    ]
    if not card["clones"]:
        return card, presets
    taken = {each.id for each in presets}
    return card, [*presets, *[_own(record, taken) for record in await records(ask, {"model": card["id"]})]]


async def records(ask: Ask, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of the library's voices that `voices.list` finds so."""
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = await ask({"op": "voices.list", **filters, "page": page, "page_size": PAGE})
        found += answer["voices"]
        if not answer["voices"] or len(found) >= answer["total"]:
            return found
        page += 1


def _own(record: Mapping[str, Any], taken: set[str]) -> Speaker:
    """A preset of the same id goes first, so that one of ours has to say where it is from."""
    id = str(record["id"])
    name, language = str(record.get("name") or id), str(record.get("language") or "")
    about = str(record.get("description") or "")
    heard = "" if record.get("origin") == "conditionals" else id
    return Speaker(f"library:{id}" if id in taken else id, name, language, "", about, own=True, recording=heard)
