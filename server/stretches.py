"""Live speech through a queue, which takes no text after a job was sent: each stretch is a job of its own.

A stretch is what is complete of what was written; two are on their way at once, and their sound is told in order, as
one stream of the format asked for. Each takes the queue's time, and the voice begins anew in each.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from models.catalogue import card as card_of
from operations.house import House
from operations.job import Job, Piece
from operations.live import checked
from server.seam import Seam
from speech.breaks import Rank
from speech.formats import output_for
from speech.plan import pause_after
from speech.stamp import Stamp
from speech.writing import Writing

AT_ONCE = 2
"""The one that is heard and the one after it: more would be spoken for nothing where the listener interrupts."""
HEARD = 64
"""Events of a stretch that wait for those before it; then its worker's stream is read no further."""
ASKED = ("format", "sample_rate", "bitrate", "stamp")
"""Fields that are the whole stream's."""
TOLD = ("model", "revision", "voice", "seed", "warnings")
"""Of the first stretch's answer."""

Perform = Callable[[Job], AsyncGenerator[Event, None]]


class Stretch:
    """One on its way."""

    def __init__(self, text: str, job: Job, perform: Perform) -> None:
        self.text = text
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(HEARD)
        self._task = asyncio.create_task(self._run(perform(job)))

    async def events(self) -> AsyncGenerator[Event, None]:
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, road: AsyncGenerator[Event, None]) -> None:
        try:
            async with aclosing(road):
                async for event in road:
                    await self._events.put(event)
        except Failure as failure:
            await self._events.put(Failed(failure))
        await self._events.put(None)


async def stretched(job: Job, house: House, perform: Perform) -> AsyncGenerator[Event, None]:
    request = checked(job.input)
    card = card_of(house.catalogue.look(request.model or house.catalogue.default.id))
    output = output_for(request.format, request.sample_rate, request.bitrate, card.rate, streaming=True)
    if request.stamp in ("watermark", "both"):
        raise Failure("not_supported", "Live speech carries no watermark.", field="stamp", hint="Ask for `metadata`.")
    seam = Seam(output, Stamp(card.id, card.revision) if request.stamp == "metadata" else None)
    part = replace(request.parts()[0], text="")
    rest = {name: value for name, value in job.input.items() if name not in ASKED}
    rest |= {"delivery": "stream", "format": "pcm", "sample_rate": output.rate, "stamp": "none"}
    writing = Writing(card, part, house.catalogue.tags)
    last = ""
    try:
        async with aclosing(_sent(job, rest, perform, writing)) as stretches:
            async for stretch in stretches:
                seam.begin(pause_after(last, Rank.SENTENCE) / part.speed if last else 0.0)
                last = stretch.text.strip()
                async for event in _told(stretch, seam):
                    yield event
                    if isinstance(event, Failed):
                        return
        for event in await asyncio.to_thread(seam.end):
            yield event
        yield Done(_answer(seam, card.id, request.voice, writing.chars))
    finally:
        seam.close()


async def _told(stretch: Stretch, seam: Seam) -> AsyncGenerator[Event, None]:
    async with aclosing(stretch.events()) as events:
        async for event in events:
            if isinstance(event, Started) and not seam.answers and not seam.seq:
                yield replace(event, format=seam.output.format.name, segments=1, characters=len(stretch.text))
            elif isinstance(event, Audio):
                for each in await asyncio.to_thread(seam.joined, event):
                    yield each
            elif isinstance(event, Done):
                seam.answers.append(event.answer)
            elif isinstance(event, Failed):
                yield event


async def _sent(job: Job, rest: dict[str, Any], perform: Perform, writing: Writing) -> AsyncGenerator[Stretch, None]:
    """In order. Whoever leaves half-way leaves none behind."""
    assert job.written is not None
    on_way: asyncio.Queue[Stretch | None] = asyncio.Queue()
    room = asyncio.Semaphore(AT_ONCE)
    begun: list[Stretch] = []

    async def send(written: AsyncGenerator[str, None]) -> None:
        try:
            async with aclosing(written):
                async for text in written:
                    await room.acquire()
                    number = len(begun)
                    one = replace(job, id=f"{job.id}-{number}", input=rest | {"text": text}, written=None)
                    begun.append(Stretch(text, one, perform))
                    on_way.put_nowait(begun[-1])
        finally:
            on_way.put_nowait(None)

    sending = asyncio.create_task(send(_texts(job.written, writing)))
    try:
        while (stretch := await on_way.get()) is not None:
            yield stretch
            await stretch.close()
            room.release()
        await sending
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, Failure):
            await sending
        await asyncio.gather(*(stretch.close() for stretch in begun))


async def _texts(written: AsyncGenerator[Piece, None], writing: Writing) -> AsyncGenerator[str, None]:
    async with aclosing(written):
        async for piece in written:
            for text in (writing.cut(piece.text), writing.cut("", flush=True) if piece.flush else ""):
                if text:
                    yield text
    if text := writing.cut("", flush=True):
        yield text


def _answer(seam: Seam, model: str, voice: Any, chars: int) -> dict[str, Any]:
    """Of all stretches; where nothing was said, that."""
    usages = [answer.get("usage") or {} for answer in seam.answers]
    usage: dict[str, Any] = {"characters": chars}
    usage |= {name: sum(each.get(name) or 0.0 for each in usages) for name in ("audio_seconds", "gpu_seconds")}
    first: dict[str, Any] = seam.answers[0] if seam.answers else {"model": model, "voice": voice}
    about: dict[str, Any] = {
        name: first[name] for name in ("model", "revision", "voice", "seed", "warnings") if name in first
    }
    audio = {"format": seam.output.format.name, "sample_rate": seam.output.rate}
    audio |= {"bytes": seam.bytes, "duration": seam.seconds}
    return {"audio": audio, "segments": seam.segments, "usage": usage, **about}
