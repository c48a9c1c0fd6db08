"""Live speech: text comes piece by piece, as a language model writes it, and is spoken as soon as it can be: word by
word where the model takes text while it speaks, else sentence by sentence.

Only doors that hold a socket have such jobs. One job is one utterance: one voice, one stream of sound.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from basics.errors import Failure
from basics.events import Done, Event
from operations.house import House
from operations.job import Job, Piece
from operations.request import SpeakRequest
from operations.speak import ordered, ramp, rooms_of
from speech import synthesis
from speech.delivery import Delivery
from speech.order import Order
from speech.writing import Stroke, Writing

TAKEN = ("text", "turns", "prompt", "delivery", "keep", "dry_run")
"""Fields of speak that live speech has no place for."""
STANDS_FOR_TEXT = "a"
SESSION_SECONDS = 86_400.0
"""A day: who ends an utterance is the one who writes it."""


async def live(job: Job, house: House) -> AsyncGenerator[Event, None]:
    if job.written is None:
        raise Failure("not_supported", "Live speech needs a socket: `WS /v1/audio/stream`.")
    request = checked(job.input)
    delivery = await Delivery.of_job(house.settings, house.bucket, request.s3 if job.s3 is None else job.s3)
    order = await ordered(request, job, house, delivery)
    order = replace(order, roles=list(order.roles), seconds=0.0, execution_seconds=SESSION_SECONDS, warnings=())
    part = replace(request.parts()[0], text="")
    writing = Writing(order.card, part, house.catalogue.tags, ramp(order.card, house))
    async with aclosing(strokes(job.written, writing)) as written:
        first = await anext(written, None)
        if first is None:
            yield Done(nothing_said(order, writing))
            return
        async with aclosing(synthesis.perform(order, rooms_of(house, delivery), after(first, written))) as events:
            async for event in events:
                yield told(event, writing)


def checked(input: Any) -> SpeakRequest:
    """As speak's, but for the text."""
    given = dict(input)
    if taken := [name for name in TAKEN if name in given]:
        raise Failure("invalid_input", f"`{taken[0]}` has no place in live speech.", field=taken[0])
    return SpeakRequest.parse(given | {"text": STANDS_FOR_TEXT, "delivery": "stream"})


async def strokes(written: AsyncGenerator[Piece, None], writing: Writing) -> AsyncGenerator[Stroke, None]:
    """Computed in threads: a piece may be a whole chapter."""
    async with aclosing(written):
        async for piece in written:
            for stroke in await asyncio.to_thread(writing.write, piece.text) if piece.text else ():
                yield stroke
            for stroke in await asyncio.to_thread(writing.flush) if piece.flush else ():
                yield stroke
    for stroke in await asyncio.to_thread(writing.flush):
        yield stroke


async def after(first: Stroke, rest: AsyncIterator[Stroke]) -> AsyncGenerator[Stroke, None]:
    yield first
    async for stroke in rest:
        yield stroke


def told(event: Event, writing: Writing) -> Event:
    """How much was written, and what of it was left out, is known at the end only."""
    if isinstance(event, Done):
        event.answer["usage"]["characters"] = writing.chars
        event.answer["warnings"] += list(writing.warnings)
    return event


def nothing_said(order: Order, writing: Writing) -> dict[str, Any]:
    audio = {"format": order.output.format.name, "sample_rate": order.output.rate, "bytes": 0, "duration": 0.0}
    usage = {"characters": writing.chars, "audio_seconds": 0.0, "gpu_seconds": 0.0}
    return {"audio": audio, "segments": [], "usage": usage, "model": order.card.id, "voice": order.voice}
