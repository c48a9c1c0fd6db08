"""`speak`: a checked request becomes an order, and the order walks the road.

Everything that can be refused is refused here, before a model is loaded or a second is computed.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from basics.errors import Failure
from basics.events import Done, Event
from models.catalogue import Entry
from operations.house import House
from operations.inputs import told
from operations.job import Job
from operations.request import SpeakRequest
from speech import delivery, synthesis
from speech.casting import Casting, language_of
from speech.order import Order, Part, Sound
from speech.plan import Segment, estimate, plan
from speech.script import read

CLEAN_END = 0.9
"""The share of the execution time after which a job stops by itself instead of being killed."""


async def speak(job: Job, house: House) -> AsyncGenerator[Event, None]:
    request = await asyncio.to_thread(SpeakRequest.parse, job.input)
    order = await ordered(request, job, house)
    if request.dry_run:
        yield Done(forecast(order))
        return
    async with aclosing(synthesis.perform(order, rooms(request, job, house))) as events:
        async for event in events:
            yield event
