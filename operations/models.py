"""What can speak here and elsewhere: cards as plain objects, and a card's knobs as JSON schema."""

from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from pydantic import Field

from basics.events import Done, Event
from models import catalogue
from models.groups import Entry
from operations.house import House
from operations.inputs import Input
from operations.job import Job


class ListInput(Input):
    group: str | None = None
    language: str | None = None
    clones: bool | None = None
    served: bool | None = Field(None, description="Only models that this worker serves, or only others.")


class GetInput(Input):
    model: str | None = Field(None, description="An id or an alias; the worker's default where it is left out.")


async def list_models(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = ListInput.parse(job.input)
    cards = [_summary(entry, house) for entry in house.catalogue.listed()]
    yield Done({"models": [card for card in cards if _wanted(card, asked)]})


async def get_model(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = GetInput.parse(job.input).model
    entry = house.catalogue.default if asked is None else house.catalogue.look(asked)
    card = catalogue.card(entry)
    presets = [asdict(preset) for preset in card.presets]
    schema = catalogue.engine_class(entry).Options.model_json_schema() if entry.engine is not None else None
    tags = list(card.tags)
    yield Done(_summary(entry, house) | {"options_schema": schema, "presets": presets, "tags": tags})


def _summary(entry: Entry, house: House) -> dict[str, Any]:
    card = asdict(catalogue.card(entry))
    presets = card.pop("presets")
    resident = any(info["model"] == entry.id for info in house.manager.residents())
    served = entry in house.catalogue.served()
    return card | {
        "voices": len(presets),
        "aliases": list(house.catalogue.aliases(entry)),
        "group": entry.group,
        "environment": entry.environment,
        "built": entry.engine is not None,
        "served": served,
        "resident": served and resident,
    }


def _wanted(card: dict[str, Any], asked: ListInput) -> bool:
    return (
        asked.group in (None, card["group"])
        and asked.clones in (None, card["clones"])
        and asked.served in (None, card["served"])
        and (asked.language is None or _speaks(card, asked.language.lower()))
    )


def _speaks(card: dict[str, Any], language: str) -> bool:
    return any(language in (known, known.split("-")[0]) for known in card["languages"])
