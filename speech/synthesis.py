"""The road of a job. Read this file first: each step is one room.

An order comes in with everything decided; events go out. Sound is made ahead of its listener in a task of its
own, so that the next lines are spoken while the last chunk is still on its way. Whoever closes the road, at any
point, frees the lines' places and leaves no file behind.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from basics.clock import Clock
from basics.errors import Failure
from basics.events import Audio, Done, Event, Progress, Started
from models.listener import Kind, Listener
from models.manager import Manager
from speech.ahead import Ahead
from speech.attempts import Attempts
from speech.cast import Cast, Written
from speech.delivery import Delivered, Delivery
from speech.order import CLEAN_END, Order
from speech.report import Watch, answer
from speech.sequence import spoken
from speech.take import Chunk, Take, bites
from voices.conditioning import Conditioning

STREAM_LINES, FILE_LINES = 2, 8
"""Lines of one job under way at once: a stream needs its next one ready, a file fills the card."""
AHEAD_SECONDS = 30.0
"""Of finished sound that waits for a slow reader."""
CHUNK_BYTES = 360_000
"""The most that is joined into one event: 480,000 bytes as base64."""
LONG_SECONDS = 30.0
"""Of expected sound, from which on a file's beginning and progress are told."""
PROGRESS_SECONDS, MOST_PROGRESS = 2.0, 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the road leads through."""

    manager: Manager
    conditioning: Conditioning
    delivery: Delivery
    clock: Clock
    price_per_hour: float | None = None


async def perform(order: Order, rooms: Rooms, written: Written | None = None) -> AsyncGenerator[Event, None]:
    """`written`: text that comes while other is being spoken; the order's one role then says how."""
    watch = Watch(rooms.clock, order.received)
    kind: Kind = "stream" if order.streams else "file"
    listener = Listener(kind, order.seconds) if written is None else Listener("live")
    take = await begun(order)
    sound = Ahead(made(order, rooms, take, listener, watch, written), AHEAD_SECONDS, lambda chunk: chunk.duration)
    try:
        if order.streams or order.seconds > LONG_SECONDS:
            yield started(order)
        async with aclosing(heard(order, sound, take, listener, rooms.clock)) as events:
            async for event in events:
                yield event
        result = answer(order, take.spans, watch, listener.gpu_seconds, rooms.price_per_hour)
        delivered = await in_time(order, rooms.clock, delivery(order, take, rooms.delivery, result))
        watch.leg("upload")
        try:
            yield done(result, delivered, take, watch)
        except GeneratorExit:
            if delivered is not None and order.cancel.is_set():
                await delivered.withdraw()
            raise
    finally:
        await sound.close()
        await asyncio.shield(asyncio.to_thread(take.close))


async def begun(order: Order) -> Take:
    """Made in a thread. Whoever is cancelled meanwhile leaves no folder behind."""
    making = asyncio.ensure_future(asyncio.to_thread(Take, order))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_close)
        raise


def _close(making: asyncio.Future[Take]) -> None:
    if not making.cancelled() and making.exception() is None:
        making.result().close()


async def made(
    order: Order, rooms: Rooms, take: Take, listener: Listener, watch: Watch, written: Written | None
) -> AsyncGenerator[Chunk, None]:
    """The programme, chunk by chunk, as fast as it can be made and no faster than it is taken."""
    watch.leg("queued")
    async with rooms.manager.borrow(order.card.id) as resident:
        watch.leg("model")
        cast = await Cast.of(order, resident, rooms.conditioning)
        take.level(cast.gains_db)
        watch.leg("voice")
        attempts = Attempts(partial(cast.speak, resident, listener), held=not order.streams)
        lines = cast.lines() if written is None else cast.following(written)
        async with aclosing(spoken(lines, attempts.speak, STREAM_LINES if order.streams else FILE_LINES)) as pieces:
            async for index, piece in pieces:
                watch.attempts[index] = attempts.of(cast.id(index))
                for bite in [piece] if listener.given or not order.streams else bites(piece, order.card.rate):
                    chunk = await watch.encoding(take.hear, index, bite)
                    if chunk is not None:
                        watch.first_audio()
                        listener.give(chunk.duration, rooms.clock.now())
                        yield chunk
        watch.leg("synthesis")
    if (chunk := await watch.encoding(take.finish)) is not None:
        watch.first_audio()
        yield chunk
    watch.leg("rest")


async def heard(
    order: Order, sound: Ahead[Chunk], take: Take, listener: Listener, clock: Clock
) -> AsyncGenerator[Event, None]:
    """What the listener is told while the sound is made."""
    seq = told = 0
    last_told = clock.now()
    while chunks := await in_time(order, clock, sound.take()):
        if order.streams:
            for chunk in joined(chunks):
                if listener.first is None:
                    listener.first = clock.now()
                yield Audio(seq, chunk.data, chunk.start, chunk.duration, chunk.text)
                seq += 1
        elif order.seconds > LONG_SECONDS and told < MOST_PROGRESS and clock.now() - last_told >= PROGRESS_SECONDS:
            last_told, told = clock.now(), told + 1
            yield Progress(len(take.spans), len(order.roles), round(take.seconds, 3))


def joined(chunks: list[Chunk]) -> Iterator[Chunk]:
    """What came while the last event was on its way goes out as one, as far as one may carry."""
    first, *rest = chunks
    for chunk in rest:
        if len(first.data) + len(chunk.data) > CHUNK_BYTES:
            yield first
            first = chunk
        else:
            text = " ".join(filter(None, (first.text, chunk.text)))
            first = Chunk(first.data + chunk.data, first.start, first.duration + chunk.duration, text)
    yield first


async def delivery(order: Order, take: Take, places: Delivery, result: dict[str, Any]) -> Delivered | None:
    """The finished file to where it goes; a stream's, only where it is to be kept."""
    if take.recording is None:
        return None
    kind = places.for_keeping if order.streams else order.delivery
    return await places.deliver(take.recording, kind, order.id, order.cancel, asked=order.asked, rest=result)


def started(order: Order) -> Started:
    return Started(
        model=order.card.id,
        voice=order.voice,
        language=order.roles[0].language,
        sample_rate=order.output.rate,
        format=order.output.format.name,
        segments=len(order.roles),
        characters=order.characters,
    )


def done(result: dict[str, Any], delivered: Delivered | None, take: Take, watch: Watch) -> Done:
    """The answer is complete now: where the sound is, and how long all of it took."""
    result["timings"] = watch.told()
    if delivered is None:
        return Done(result | {"audio": take.about()})
    result["warnings"] += delivered.warnings
    return Done(result | delivered.answer, delivered.data, delivered.location)


async def in_time(order: Order, clock: Clock, doing: Awaitable[T]) -> T:
    """A job stops clean before the platform would kill it."""
    try:
        async with asyncio.timeout(max(0.0, order.deadline - clock.now())):
            return await doing
    except TimeoutError:
        allowed = f"{CLEAN_END * order.execution_seconds:g}"
        raise Failure(
            "timed_out",
            f"The job was not done within {allowed} seconds, {CLEAN_END:.0%} of EXECUTION_SECONDS.",
            hint="Send less text at once, or raise the endpoint's execution timeout and EXECUTION_SECONDS.",
        ) from None
