"""`convert`: the words of a recording, said again in another voice. The answer is speak's.

The recording is cut at its pauses, and each stretch is a line whose source is sound instead of text: from there on
it walks speak's own road. Everything that can be refused is refused before a model is loaded.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import numpy as np
import soxr  # type: ignore[import-untyped]

from basics.audio import as_mono
from basics.errors import Failure
from basics.events import Event
from models import catalogue
from models.card import Card
from models.groups import Entry
from operations.convert_input import ConvertRequest
from operations.house import House
from operations.job import Job
from operations.places import reachable
from operations.speak import answered, gain_db, knobs, others, take_in, warnings
from operations.stamping import stamping
from speech.casting import Casting
from speech.delivery import Delivery
from speech.formats import estimate_bytes, output_for
from speech.order import Order, Role
from speech.plan import Segment
from speech.script import Script
from speech.stamp import Stamp
from speech.stretches import Stretch, loud, stretches
from voices.decoding import decode
from voices.sources import collect, sources
from voices.voice import Voice

LONGEST_SECONDS = 20.0
"""Of a stretch: what an engine takes at once without its cost growing faster than its length."""


async def convert(job: Job, house: House) -> AsyncGenerator[Event, None]:
    request = await asyncio.to_thread(ConvertRequest.parse, job.input)
    async with aclosing(answered(request, job, house, ordered)) as events:
        async for event in events:
            yield event


async def ordered(request: ConvertRequest, job: Job, house: House, delivery: Delivery) -> Order:
    entry = converting(request.model, house)
    card = catalogue.card(entry)
    streams = request.delivery == "stream"
    output = output_for(request.format, request.sample_rate, request.bitrate, card.rate, streaming=streams)
    tagged, watermark = stamping(request, entry, card)
    options = knobs(catalogue.engine_class(entry).Options, request.params, "", card)
    casting = Casting(card, house.library, house.settings.voice_aliases, partial(take_in, job, request, house))
    asked = request.voice if isinstance(request.voice, str) else request.voice.model_dump(exclude_none=True)
    voice = await casting.voice(asked)
    heard = await asyncio.to_thread(listened, request, job, house, card.rate)
    gain = gain_db(voice, card, request.loudness)
    roles = tuple(
        replace(Role(_segment(index, each), voice, card.languages[0], options, gain), source=each.samples)
        for index, each in enumerate(heard)
    )
    seconds = sum(each.pause + len(each.samples) / card.rate for each in heard)
    size = estimate_bytes(output.format, output.rate, output.bitrate, seconds, streaming=streams)
    stamp = Stamp(card.id, card.revision, voice.kind) if tagged else None
    return Order(
        id=job.id,
        card=card,
        roles=roles,
        after=0.0,
        pitch=0.0,
        output=output,
        loudness=request.loudness,
        stamp=stamp,
        asked=request.delivery,
        delivery=delivery.choose(request.delivery, size, others(request, card, seconds)),
        keep=request.keep,
        seed=seed_of(request, card, voice, heard),
        characters=0,
        seconds=seconds,
        bytes=size,
        received=job.received,
        execution_seconds=house.settings.execution_seconds,
        cancel=job.cancel,
        watermark=watermark,
        warnings=tuple(warnings(Script(()), output.format if stamp else None, seconds, entry.id, house)),
    )


def converting(model: str | None, house: House) -> Entry:
    """The model asked for, else the worker's default, else the first here that converts."""
    if model is not None:
        entry = house.catalogue.find(model)
        if catalogue.card(entry).converts:
            return entry
        raise _cannot(f"{catalogue.card(entry).id} does not convert recordings.", house)
    for entry in (house.catalogue.default, *house.catalogue.served()):
        if catalogue.card(entry).converts:
            return house.catalogue.find(entry.id)
    raise _cannot("No model of this worker converts recordings.", house)


def listened(request: ConvertRequest, job: Job, house: House, rate: int) -> list[Stretch]:
    """Fetches, decodes and cuts; for a thread."""
    places = reachable(house, request.s3 if job.s3 is None else job.s3)
    (source,) = sources(request.audio, "audio")
    sound = decode(collect(source, places, job.cancel), house.settings.reference_seconds, job.cancel, "audio")
    samples = as_mono(sound.samples if sound.rate == rate else soxr.resample(sound.samples, sound.rate, rate, "HQ"))
    found = stretches(samples, rate, loud(samples, rate), LONGEST_SECONDS)
    if not found:
        raise Failure("reference_too_short", "`audio` holds no sound to say again.", field="audio")
    return found


def seed_of(request: ConvertRequest, card: Card, voice: Voice, heard: Sequence[Stretch]) -> int:
    """As speak's: of what is asked, so that the same request is the same take."""

    def digest() -> bytes:
        matters = [card.id, voice.digest, request.params, request.take, [each.pause for each in heard]]
        sum = hashlib.sha256(json.dumps(matters, sort_keys=True).encode())
        for each in heard:
            sum.update(np.ascontiguousarray(each.samples).tobytes())
        return sum.digest()

    return request.settled_seed(digest)


def _segment(index: int, heard: Stretch) -> Segment:
    return Segment(index, "", "", heard.pause, None, 1.0, {}, None, 0, 0)


def _cannot(message: str, house: House) -> Failure:
    able = ", ".join(card.id for card in house.catalogue.cards() if card.converts)
    return Failure("not_supported", message, field="model", hint=f"These models convert: {able}." if able else None)
