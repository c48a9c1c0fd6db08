"""OpenSpeakers' models: our cards in their words. Models that this server does not serve are left out."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from basics.errors import Failure
from server.asking import answered
from server.dialects.openspeakers.shapes import routes

router = routes("models", "/api/models")


class Model(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    description: str
    supports_voice_cloning: bool
    supports_streaming: bool
    supports_speed: bool
    supports_pitch: bool
    supports_dialogue: bool
    dialogue_format: str
    help_text: str
    supported_languages: list[str]
    hf_repo: str
    vram_gb_estimate: float
    is_loaded: bool
    status: str
    standby: bool
    keep_alive_seconds_remaining: float | None = None
    licence: str
    options_schema: dict[str, Any] | None = None
    voices: int


@router.get("", summary="The models that this server speaks with")
async def listed(request: Request) -> list[Model]:
    done = await answered(request, {"op": "models.list", "served": True})
    return [model(card, request) for card in done.answer["models"]]


@router.get("/{model_id}", summary="One model, with the schema of its knobs")
async def one(request: Request, model_id: str) -> Model:
    """Under an id or an alias."""
    card = (await answered(request, {"op": "models.get", "model": model_id})).answer
    if not card["served"]:
        raise Failure("model_not_in_this_worker", f"`{card['id']}` is served by the group `{card['group']}`.")
    voices = len(card["presets"])
    return model({**card, "voices": voices}, request)


def model(card: dict[str, Any], request: Request) -> Model:
    resident = bool(card["resident"])
    return Model(
        id=card["id"],
        name=card["name"],
        description=card["help"],
        supports_voice_cloning=card["clones"],
        supports_streaming=True,  # every model's lines are sent as they are spoken
        supports_speed=True,  # what an engine cannot do itself is stretched, with the pitch kept
        supports_pitch=True,
        supports_dialogue=card["dialogue"],
        dialogue_format=" ".join(card["tags"]) if card["dialogue"] else "",
        help_text=card["help"],
        supported_languages=list(card["languages"]),
        hf_repo=card["repository"],
        vram_gb_estimate=card["memory"],
        is_loaded=resident,
        status="loaded" if resident else "available",
        standby=card["id"] in request.app.state.settings.standby,
        licence=card["licence"],
        options_schema=card.get("options_schema"),
        voices=card["voices"],
    )
