"""The first word: a short line on the serving thread, before a resident is lent to anybody."""

import asyncio
from contextlib import aclosing

from basics.errors import Failure
from models.engine import Conditioning, Line
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
    """In the first preset whose files are here; a model that only clones has no voice to warm up with."""
    found = await _any_voice(resident)
    if found is None:
        return
    language, conditioning = found
    line = Line("warm-up", WORD, language, conditioning, resident.engine.Options(), seed=0, longest=LONGEST)
    try:
        async with aclosing(resident.speak(line, Listener("file"))) as pieces:
            async for _ in pieces:
                pass
    except Runaway:
        return


async def _any_voice(resident: Resident) -> tuple[str, Conditioning] | None:
    """A model's first voice may be one that nobody fetched. None that is here at all is a load that failed."""
    missing: Failure | None = None
    card = resident.card
    for preset in card.presets:
        language = preset.language if preset.language in card.languages else card.languages[0]
        voice = Voice(preset.id, "preset", f"preset:{preset.id}", language=preset.language)
        try:
            return language, await resident.prepare(voice)
        except Failure as failure:
            if failure.code != "weights_missing":
                raise
            missing = missing or failure
    if missing is not None:
        raise missing
    return None
