"""`voices.test`: a voice says a line, and how like its recording that sounds is told with it."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import av
import numpy as np

from basics.audio import Samples, join
from basics.errors import Failure
from basics.events import Done, Event
from models import catalogue
from operations import speak
from operations.house import House
from operations.job import Job
from operations.voice_inputs import TryInput
from speech.gauge import LINES
from voices.library import unknown


async def try_voice(job: Job, house: House) -> AsyncGenerator[Event, None]:
    asked = TryInput.parse(job.input)
    encoder = house.likeness(house.settings)
    voice = await house.library.get(asked.id)
    if voice is None:
        raise unknown(asked.id)
    if voice.samples is None:
        raise Failure("voice_unusable", f"`{asked.id}` has no recording to compare with.", field="id")
    model = asked.model or house.catalogue.default.id
    card = catalogue.card(house.catalogue.find(model))
    language = (voice.language or card.languages[0]).partition("-")[0]
    text = asked.text or LINES.get(language, LINES["en"])
    said = {"text": text, "model": model, "voice": f"library:{asked.id}", "delivery": "inline"}
    async with aclosing(speak.speak(replace(job, input=said, s3=None), house)) as events:
        async for event in events:
            if not isinstance(event, Done) or event.data is None:
                yield event
                continue
            heard, rate = await asyncio.to_thread(_decoded, event.data)
            similarity = await asyncio.to_thread(encoder.similarity, voice.samples, voice.rate, heard, rate)
            yield Done(event.answer | {"similarity": round(similarity, 4)}, event.data)


def _decoded(data: bytes) -> tuple[Samples, int]:
    """The answer's own WAV."""
    with av.open(io.BytesIO(data), "r") as container:
        rate = container.streams.audio[0].rate
        rows = [
            frame.to_ndarray().reshape(-1).astype(np.float32) / np.float32(32768) for frame in container.decode(audio=0)
        ]
    return join(rows), rate
