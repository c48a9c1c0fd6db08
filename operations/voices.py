"""`voices.*`: people's own voices, made, found, changed, heard and taken away."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Done, Event
from models import catalogue
from models.card import Card, akin
from operations.house import House
from operations.job import Job
from operations.places import reachable
from operations.voice_inputs import (
    AudioInput,
    Consent,
    CreateInput,
    ListInput,
    OneInput,
    UpdateInput,
    id_of,
)
from speech.delivery import Delivery, Recording
from speech.encoding import write_file
from speech.formats import Output, bitrate_for, estimate_bytes, output_for
from voices.aligning import retimed
from voices.ledger import Change
from voices.library import no_consent, unknown
from voices.record import Record
from voices.reference import Reference, take_in
from voices.sources import collect, sources

PAGE_BYTES = 400_000
"""Of one page as JSON, so that the stream shows it whole."""


async def create(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = CreateInput.parse(job.input)
    id = asked.id or id_of(asked.name or "")
    if not id:
        raise Failure("invalid_input", "Give an `id`, or a `name` with a Latin letter or digit in it.", field="id")
    if asked.conditionals is not None:
        yield Done({"voice": (await _created_from_conditionals(asked, id, job, house)).told()})
        return
    if asked.reference is None:
        raise Failure("invalid_input", "Give `reference`, or `conditionals`.", field="reference")
    if house.settings.require_consent and asked.consent is None:
        raise no_consent("Add who consented.", "consent")
    if not asked.replace:
        await house.library.check_free(id)
    reference = await _taken_in(asked.reference, asked.s3, job, house)
    transcript = (asked.transcript or "").strip()
    record = Record(
        id=id,
        name=asked.name or id,
        description=asked.description or "",
        tags=tuple(dict.fromkeys(asked.tags or ())),
        language=(asked.language or "").lower().replace("_", "-"),
        transcript=transcript,
        transcript_state="given" if transcript else "none",
        consent=asked.consent.kept() if asked.consent else None,
    )
    yield Done({"voice": (await house.library.create(record, reference, asked.replace)).told()})


async def _created_from_conditionals(asked: CreateInput, id: str, job: Job, house: House) -> Record:
    given = {name for name in asked.model_fields_set if getattr(asked, name) is not None}
    beside = sorted(given - {"op", "id", "conditionals", "replace", "s3"} - ({"name"} if asked.id is None else set()))
    if beside:
        message = f"A voice made from conditionals has an id and nothing else; leave out `{beside[0]}`."
        raise Failure("not_supported", message, field=beside[0])
    if house.settings.require_consent:
        raise no_consent("Conditionals have no place for one.", "conditionals")
    places = await asyncio.to_thread(reachable, house, asked.s3 if job.s3 is None else job.s3)
    (source,) = sources(asked.conditionals, "conditionals")
    data = await asyncio.to_thread(collect, source, places, job.cancel)
    try:
        return await house.library.create_from_conditionals(id, data, asked.replace)
    except Failure as failure:
        if failure.field == "voice":
            failure.field = "conditionals"
        raise


async def list_voices(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = ListInput.parse(job.input)
    card = catalogue.card(house.catalogue.look(asked.model)) if asked.model else None
    wanted = [record for record in await house.library.records() if _wanted(record, asked, card)]
    page = next((rows for number, rows in enumerate(_pages(wanted, asked), 1) if number == asked.page), [])
    yield Done({"voices": page, "page": asked.page, "page_size": asked.page_size, "total": len(wanted)})


async def get_voice(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = OneInput.parse(job.input)
    record = await house.library.record(asked.id)
    if record is None:
        raise unknown(asked.id)
    yield Done({"voice": record.told() | {"derived": list(house.library.derived(asked.id))}})


async def update(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = UpdateInput.parse(job.input)
    given = asked.model_fields_set - {"op", "id", "s3"}
    if not given:
        raise Failure("invalid_input", "`voices.update` needs a field to change.", field="id")
    if "reference" in given and asked.reference is None:
        raise Failure("invalid_input", "A voice keeps its recording: null cannot clear `reference`.", field="reference")
    if house.settings.require_consent and "consent" in given and asked.consent is None:
        raise no_consent("It cannot be cleared.", "consent")
    reference = None
    if asked.reference is not None:
        if await house.library.record(asked.id) is None:
            raise unknown(asked.id)
        reference = await _taken_in(asked.reference, asked.s3, job, house)
    record = await house.library.update(asked.id, _change(asked, given - {"reference"}), reference)
    yield Done({"voice": record.told()})


async def delete(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = OneInput.parse(job.input)
    await house.library.delete(asked.id)
    yield Done({"deleted": asked.id})


async def audio(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = AudioInput.parse(job.input)
    delivery = await Delivery.of_job(house.settings, house.bucket, asked.s3 if job.s3 is None else job.s3)
    record, samples, rate = await house.library.sound(asked.id)
    output = output_for(asked.format, None, None, rate)
    bitrate = bitrate_for(output.format, output.rate, None)
    seconds = len(samples) / rate
    kind = delivery.choose(asked.delivery, estimate_bytes(output.format, output.rate, bitrate, seconds))
    data = await asyncio.to_thread(_encoded, samples, rate, output)
    recording = Recording(data, output.format.name, output.rate, seconds, name=record.id)
    delivered = await delivery.deliver(recording, kind, job.id, job.cancel, asked=asked.delivery)
    yield Done(delivered.answer | {"warnings": list(delivered.warnings)}, delivered.data)


def _encoded(samples: Samples, rate: int, output: Output) -> bytes:
    file = io.BytesIO()
    write_file([samples], file, output, rate)
    return file.getvalue()


async def _taken_in(reference: Any, s3: Any, job: Job, house: House) -> Reference:
    places = await asyncio.to_thread(reachable, house, s3 if job.s3 is None else job.s3)
    return await asyncio.to_thread(take_in, reference, places, house.library.rules.limits, job.cancel)


def _change(asked: UpdateInput, given: set[str]) -> Change:
    """What was named, as a record has it: null clears."""
    fields: dict[str, Any] = {}
    for name in given:
        value = getattr(asked, name)
        if isinstance(value, Consent):
            value = value.kept()
        fields[name] = value if value is not None or name == "consent" else () if name == "tags" else ""
    if "transcript" in fields:
        fields["transcript"] = fields["transcript"].strip()
        fields["transcript_state"] = "edited" if fields["transcript"] else "none"
        fields["words"] = ()
        if asked.reference is not None:
            fields["of_chosen"] = False
    if "language" in fields:
        fields["language"] = fields["language"].lower().replace("_", "-")
    if "tags" in fields:
        fields["tags"] = tuple(dict.fromkeys(fields["tags"]))

    def change(record: Record) -> Record:
        named = fields | ({"name": record.id} if fields.get("name") == "" else {})
        if fields.get("transcript") and record.words:
            named["words"] = retimed(fields["transcript"], record.words)
        return record.model_copy(update=named)

    return change


def _wanted(record: Record, asked: ListInput, card: Card | None) -> bool:
    tags = (asked.tags,) if isinstance(asked.tags, str) else asked.tags or ()
    return (
        all(tag in record.tags for tag in tags)
        and (asked.language is None or (record.language != "" and akin(asked.language, record.language)))
        and (card is None or _speakable(record, card))
        and (not asked.search or _says(record, asked.search.casefold()))
    )


def _speakable(record: Record, card: Card) -> bool:
    if record.weights and record.weights.partition("=")[0] != card.id:
        return False
    if not card.clones or (record.conditionals and not card.conditionals):
        return False
    return not record.language or card.crosslingual or card.speaks(record.language)


def _says(record: Record, search: str) -> bool:
    parts = (record.id, record.name, record.description, record.transcript, *record.tags)
    return any(search in part.casefold() for part in parts)


def _pages(records: list[Record], asked: ListInput) -> Iterator[list[dict[str, Any]]]:
    """Each holds what was asked for, or fewer where the voices say much."""
    page: list[dict[str, Any]] = []
    size = 0
    for record in records:
        row = record.told()
        row_bytes = len(json.dumps(row))
        if page and (len(page) == asked.page_size or size + row_bytes > PAGE_BYTES):
            yield page
            page, size = [], 0
        page.append(row)
        size += row_bytes
    if page:
        yield page
