"""`speak`: a checked request becomes an order, and the order walks the road.

Everything that can be refused is refused here, before a model is loaded or a second is computed.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from basics.errors import Failure
from basics.events import Done, Event
from models import catalogue
from models.card import Card
from models.engine import Options
from models.groups import Entry
from operations.house import House
from operations.inputs import told
from operations.job import Job
from operations.places import reachable
from operations.request import SpeakRequest, derive_seed
from operations.stamping import stamping
from operations.wishes import Wishes
from speech import synthesis
from speech.casting import Casting, language_of
from speech.delivery import Delivery
from speech.formats import FORMATS, bitrate_for, estimate_bytes, output_for, rate_for
from speech.loudness import stream_gain_db
from speech.order import Order, Role
from speech.plan import Segment, estimate, plan
from speech.script import Script, script
from speech.stamp import Stamp, warning_for
from voices.library import no_consent
from voices.voice import Voice

R = TypeVar("R", bound=Wishes)
Ordering = Callable[[R, Job, House, Delivery], Awaitable[Order]]


async def speak(job: Job, house: House) -> AsyncGenerator[Event, None]:
    request = await asyncio.to_thread(SpeakRequest.parse, job.input)
    async with aclosing(answered(request, job, house, ordered)) as events:
        async for event in events:
            yield event


async def answered(request: R, job: Job, house: House, ordered: Ordering[R]) -> AsyncGenerator[Event, None]:
    """What a checked request comes to: its order, made by `ordered`, walks the road or is only forecast."""
    if request.keep and request.delivery != "stream":
        raise Failure("invalid_input", "`keep` is for `delivery: stream`; files are kept anyway.", field="keep")
    s3 = request.s3 if job.s3 is None else job.s3
    delivery = await Delivery.of_job(house.settings, house.bucket, s3, wide=job.wide, share=job.share)
    order = await ordered(request, job, house, delivery)
    if request.dry_run:
        yield Done(forecast(order))
        return
    async with aclosing(synthesis.perform(order, rooms_of(house, delivery))) as events:
        async for event in events:
            yield event


def rooms_of(house: House, delivery: Delivery) -> synthesis.Rooms:
    price = house.settings.gpu_price_per_hour
    return synthesis.Rooms(house.manager, house.conditioning, delivery, house.clock, price)


async def ordered(request: SpeakRequest, job: Job, house: House, delivery: Delivery) -> Order:
    entry = await tuned(request, house) or house.catalogue.find(request.model or house.catalogue.default.id)
    card = catalogue.card(entry)
    if request.instructions is not None and not card.style:
        raise Failure("not_supported", f"{card.id} takes no `instructions`.", field="instructions")
    streams = request.delivery == "stream"
    output = output_for(request.format, request.sample_rate, request.bitrate, card.rate, streaming=streams)
    said, segments = await asyncio.to_thread(planned, request, card, house, streams)
    casting = Casting(card, house.library, house.settings.voice_aliases, partial(take_in, job, request, house))
    roles = await cast(request, segments, casting, catalogue.engine_class(entry).Options, entry.params)
    seconds = estimate(segments, card, after=said.after)
    size = estimate_bytes(output.format, output.rate, output.bitrate, seconds, streaming=streams)
    kind = delivery.choose(request.delivery, size, others(request, card, seconds))
    tagged, watermark = stamping(request, entry, card)
    stamp = Stamp(card.id, card.revision, roles[0].voice.kind) if tagged else None
    return Order(
        id=job.id,
        card=card,
        roles=roles,
        after=said.after,
        pitch=request.pitch,
        output=output,
        loudness=request.loudness,
        stamp=stamp,
        asked=request.delivery,
        delivery=kind,
        keep=request.keep,
        seed=derive_seed(request, model=card.id, voice=roles[0].voice.id, language=roles[0].language),
        characters=sum(len(part.text) for part in request.parts()),
        seconds=seconds,
        bytes=size,
        received=job.received,
        execution_seconds=house.settings.execution_seconds,
        cancel=job.cancel,
        watermark=watermark,
        warnings=tuple(warnings(said, output.format if stamp else None, seconds, entry.id, house)),
    )


async def tuned(request: SpeakRequest, house: House) -> Entry | None:
    """The model of voices that bring weights of their own: one for all of a request's voices, and asked for by no
    other name than its engine's."""
    card = catalogue.card(house.catalogue.look(request.model or house.catalogue.default.id))
    weights = {await weights_of(part.voice, card, house) for part in request.parts()}
    if weights == {""}:
        return None
    if len(weights) > 1:
        message = "Voices with weights of their own speak alone: all of a request's voices must share them."
        raise Failure("voice_unusable", message, field="voice")
    entry = house.catalogue.tuned(weights.pop())
    if request.model is not None and house.catalogue.look(request.model).engine != entry.engine:
        engine = entry.id.partition("@")[0]
        raise Failure("voice_unusable", f"The voice brings weights for {engine}; leave `model` out.", field="model")
    return entry


async def weights_of(voice: Any, card: Card, house: House) -> str:
    named = house.settings.voice_aliases.get(voice, voice) if isinstance(voice, str) else "preset:"
    kind, _, id = named.rpartition(":")
    if kind == "preset" or (not kind and card.preset(id)):
        return ""
    record = await house.library.record(id)
    return record.weights if record else ""


def planned(request: SpeakRequest, card: Card, house: House, streams: bool) -> tuple[Script, tuple[Segment, ...]]:
    """Reads markup and cuts lines: pure computing, for a thread."""
    said = script(request.parts(), card.tags, house.catalogue.tags)
    return said, plan(said.passages, card, stream=streams)


async def cast(
    request: SpeakRequest,
    segments: tuple[Segment, ...],
    casting: Casting,
    options: type[Options],
    defaults: Mapping[str, Any],
) -> tuple[Role, ...]:
    """Each turn has one voice, language and set of knobs; each is looked up once."""
    card = casting.card
    played: dict[int | None, tuple[Voice, str, Options]] = {}
    for segment in segments:
        if segment.turn not in played:
            at = "" if segment.turn is None else f"turns[{segment.turn}]."
            voice = await casting.voice(segment.voice, f"{at}voice")
            language = language_of(segment.language or None, voice, card, f"{at}language")
            played[segment.turn] = voice, language, knobs(options, {**defaults, **segment.params}, at, card)
    return tuple(
        Role(segment, *played[segment.turn], gain_db=gain_db(played[segment.turn][0], card, request.loudness))
        for segment in segments
    )


async def take_in(
    job: Job,
    request: Wishes,
    house: House,
    reference: Any,
    transcript: str,
    field: str,
    card: Card,
) -> Voice:
    """A voice that came with the request."""
    if house.settings.require_consent:
        raise no_consent("A voice that comes with a request has no place for one.", field)
    places = await asyncio.to_thread(reachable, house, request.s3 if job.s3 is None else job.s3)
    reads = card.reference[1] if card.transcript != "unread" else None
    return await house.inline.voice(reference, transcript, places, job.cancel, field, reads)


def knobs(options: type[Options], params: Any, at: str, card: Card) -> Options:
    try:
        return options.model_validate(dict(params))
    except ValidationError as error:
        if not options.model_fields:
            message = f"{card.id} has no knobs: leave `params` out."
            raise Failure("invalid_input", message, field=f"{at}params") from None
        raise told(error, list(options.model_fields), f"{at}params.") from None


def gain_db(voice: Voice, card: Card, loudness: float | None) -> float:
    """A blend is as loud as its parts, by their shares, when all of them were measured. What a card does not tell
    is measured on the road, when the engine meets the voice."""
    parts = voice.parts or ((voice, 1.0),)
    presets = [(card.preset(part.id) if part.kind == "preset" else None, share) for part, share in parts]
    known = [(preset.loudness, share) for preset, share in presets if preset is not None]
    if len(known) < len(parts) or any(lufs is None for lufs, _ in known):
        return 0.0
    return stream_gain_db(sum((lufs or 0.0) * share for lufs, share in known), loudness)


def others(request: Wishes, card: Card, seconds: float) -> dict[str, int]:
    """What the other formats would come to, the best sounding first."""
    found = {}
    for name in ("flac", "opus", "mp3", "aac"):
        format = FORMATS[name]
        rate = rate_for(format, None, card.rate)
        found[name] = estimate_bytes(format, rate, bitrate_for(format, rate, None), seconds)
    found.pop(request.format, None)
    return found


def warnings(said: Script, format: Any, seconds: float, model: str, house: House) -> list[str]:
    """Told at once: what was left out, where the stamp finds no place, and that time will not do."""
    found = list(said.warnings)
    if format is not None and (missing := warning_for(format)):
        found.append(missing)
    needed = seconds * pace(house, model)
    if needed > house.settings.execution_seconds:
        found.append(
            f"At this worker's pace it takes about {needed:.0f} seconds, more than EXECUTION_SECONDS "
            f"({house.settings.execution_seconds:g}): it will be stopped before the end."
        )
    return found


def pace(house: House, model: str) -> float:
    """Seconds of computing for a second of sound, as far as this worker has seen."""
    seen = next((each for each in house.manager.residents() if each["model"] == model), None)
    return float(seen["busy_seconds"] / seen["audio_seconds"]) if seen and seen["audio_seconds"] else 0.0


def forecast(order: Order) -> dict[str, Any]:
    """`dry_run`: what it would be, without a model."""
    return {
        "dry_run": True,
        "model": order.card.id,
        "revision": order.card.revision,
        "voice": order.voice,
        "seed": order.seed,
        "delivery": order.delivery,
        "characters": order.characters,
        "segments": [{"text": role.segment.text, "voice": role.voice.id} for role in order.roles],
        "estimated_seconds": round(order.seconds, 2),
        "estimated_bytes": order.bytes,
        "warnings": list(order.warnings),
    }
