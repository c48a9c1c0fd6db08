"""The first word: a short line on the serving thread, before a resident is lent to anybody."""

import asyncio
from contextlib import aclosing

from models.engine import Line
from models.listener import Listener
from models.resident import Resident
from models.runner import Runaway
from voices.voice import Voice

WORD = "Hello."
LONGEST = 20.0
"""Seconds after which a first word that does not end has warmed enough."""


def warm_up(resident: Resident) -> None:
    """Raises what the engine raises. Call it on a thread without an event loop."""
    asyncio.run(_speak(resident))


async def _speak(resident: Resident) -> None:
    """In the model's first preset; a model that only clones has no voice to warm up with."""
    card = resident.card
    if not card.presets:
        return
    preset = card.presets[0]
    voice = Voice(preset.id, "preset", f"preset:{preset.id}", language=preset.language)
    conditioning = await resident.prepare(voice)
    language = preset.language or card.languages[0]
    line = Line("warm-up", WORD, language, conditioning, resident.engine.Options(), seed=0, longest=LONGEST)
    try:
        async with aclosing(resident.speak(line, Listener("file"))) as pieces:
            async for _ in pieces:
                pass
    except Runaway:
        return
