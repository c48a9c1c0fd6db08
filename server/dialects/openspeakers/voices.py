"""OpenSpeakers' voice profiles: the library's voices in their words.

A voice here belongs to no model: `model_id` is the model it was made or asked for with, else the one that speaks it
unless another is named.
"""

from typing import Annotated, Any, Literal

from fastapi import File, Form, Query, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from basics.errors import Failure
from operations.roll import records
from operations.voice_inputs import id_of
from server.asking import answered, ask_of
from server.cloning import cloning, named
from server.dialects.openspeakers.jobs import base_of
from server.dialects.openspeakers.shapes import routes
from server.replies import file
from server.uploads import recording

router = routes("voices", "/api/voices")

Heard = Literal["pending", "ready", "failed", "manual"]
TRANSCRIPTS: dict[str, Heard] = {"given": "manual", "edited": "manual", "pending": "pending", "done": "ready"}
"""A voice without one (`none`) is `failed`: nothing here writes it down."""


class Profile(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    model_id: str | None
    reference_audio_path: str
    """Where the recording is fetched; no file's path leaves the worker."""
    embedding_path: None = None
    extra_info: dict[str, Any] | None
    description: str | None
    tags: list[str]
    reference_text: str | None
    reference_text_status: Heard
    reference_language: str | None
    reference_duration_seconds: float
    created_at: str
    avg_similarity: float | None = None
    similarity_count: int = 0


class Profiles(BaseModel):
    voices: list[Profile]
    total: int


class Builtin(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    language: str
    gender: str | None
    model_id: str


class Update(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=128)
    description: str | None = Field(None, max_length=2_000)
    tags: list[str] | None = None
    reference_text: str | None = Field(None, max_length=4_000)
    reference_language: str | None = Field(None, max_length=35)

    def as_input(self, id: str) -> dict[str, Any]:
        """A text that is null or empty is cleared; of the others, null leaves things as they are."""
        names = {"reference_text": "transcript", "reference_language": "language"}
        given = self.model_dump(include=self.model_fields_set)
        kept = {names.get(name, name): value for name, value in given.items() if value is not None}
        if "reference_text" in given and not (given["reference_text"] or "").strip():
            kept["transcript"] = None
        return {"op": "voices.update", "id": id} | kept


@router.get("", summary="Your voices, or those that one model can speak")
async def listed(
    request: Request, model_id: Annotated[str, Query(max_length=128)] = "", search: str | None = None
) -> Profiles:
    filters = {"model": model_id or None, "search": search or None}
    found = await records(ask_of(request), {name: value for name, value in filters.items() if value})
    model = await model_for(request, model_id)
    rows = [profile(each, model, base_of(request)) for each in found]
    return Profiles(voices=rows, total=len(rows))


@router.post("", status_code=201, summary="A voice of your own, from a recording")
async def create(
    request: Request,
    name: Annotated[str, Form(min_length=1, max_length=128)],
    model_id: Annotated[str, Form(min_length=1, max_length=128)],
    reference_audio: Annotated[UploadFile, File()],
    reference_text: Annotated[str, Form(max_length=4_000)] = "",
) -> Profile:
    card = (await answered(request, {"op": "models.get", "model": model_id})).answer
    if not card["clones"]:
        raise Failure("not_supported", f"{card['id']} does not clone voices.", field="model_id")
    asked = {"op": "voices.create", "name": name}
    if reference_text.strip():
        asked["transcript"] = reference_text.strip()
    async with recording(request, reference_audio, "reference_audio") as reference:
        made = await named(request, asked | {"reference": reference}, id_of(name))
    return profile(made, card["id"], base_of(request))


@router.get("/builtin/{model_id}", summary="The voices that come with a model")
async def builtin(request: Request, model_id: str) -> list[Builtin]:
    card = (await answered(request, {"op": "models.get", "model": model_id})).answer
    return [
        Builtin(
            id=each["id"],
            name=each["name"],
            language=each["language"],
            gender=each["gender"] or None,
            model_id=card["id"],
        )
        for each in card["presets"]
    ]


@router.get("/{voice_id}", summary="One of your voices")
async def one(request: Request, voice_id: str) -> Profile:
    done = await answered(request, {"op": "voices.get", "id": voice_id})
    return profile(done.answer["voice"], await model_for(request), base_of(request))


@router.patch("/{voice_id}", summary="Change what is told of a voice")
async def update(request: Request, voice_id: str, asked: Update) -> Profile:
    done = await answered(request, asked.as_input(voice_id))
    return profile(done.answer["voice"], await model_for(request), base_of(request))


@router.delete("/{voice_id}", status_code=204, summary="Forget a voice and its recording")
async def delete(request: Request, voice_id: str) -> None:
    await answered(request, {"op": "voices.delete", "id": voice_id})


@router.get(
    "/{voice_id}/audio",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}}},
    summary="The recording that a voice was made from",
)
async def audio(request: Request, voice_id: str) -> Response:
    done = await answered(request, {"op": "voices.audio", "id": voice_id, "delivery": "inline"})
    return file(done, {"Content-Disposition": f'inline; filename="voice_{voice_id}.wav"'})


async def model_for(request: Request, model: str = "") -> str | None:
    """The model under its own id; where none is named, the one that speaks with people's own voices, if any does."""
    if model:
        return str((await answered(request, {"op": "models.get", "model": model})).answer["id"])
    return await cloning(request)


def profile(record: dict[str, Any], model: str | None, base: str) -> Profile:
    return Profile(
        id=record["id"],
        name=record["name"],
        model_id=model,
        reference_audio_path=f"{base}/api/voices/{record['id']}/audio",
        extra_info={"quality": record["quality"]} if record.get("quality") else None,
        description=record["description"] or None,
        tags=list(record["tags"]),
        reference_text=record["transcript"] or None,
        reference_text_status=TRANSCRIPTS.get(record["transcript_state"], "failed"),
        reference_language=record["language"] or None,
        reference_duration_seconds=record["duration"],
        created_at=record["created"],
    )
