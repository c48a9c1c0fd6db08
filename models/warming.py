"""The first words: short lines on the serving thread, before a resident is lent to anybody.

They also tell how fast the model is on this device, for whoever plans lines that are delivered whole.
"""

import asyncio
from contextlib import aclosing, suppress
from math import inf

from basics.errors import Failure
from models.engine import Conditioning, Line
from models.listener import Listener
from models.resident import Resident
from models.runner import Runaway
from voices.voice import Voice

WORD = "Hello."
PHRASE = "Hello, and good morning to you."
"""As long as a stream's first lines are: what each line costs by itself makes a word alone a third slower (Kokoro)."""
LONGEST = 20.0
"""Seconds after which a first word that does not end has warmed enough."""
PACES = (1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Classes of what is made in a second, so that the next start, which measures anew, plans the same. A device under the
least cannot keep up however lines are cut."""
QUICK = 8.0
"""Seconds of sound a second, from which on no line is too long."""


def warm_up(resident: Resident) -> float | None:
    """Seconds of sound a second, alone, as one of `PACES`, where whole lines may come too late.

    Raises what the engine raises. Call it on a thread without an event loop.
    """
    return asyncio.run(_warmed(resident))


def pace_class(pace: float) -> float | None:
    return None if pace >= QUICK else max((each for each in PACES if each <= pace), default=None)


async def _warmed(resident: Resident) -> float | None:
    """In the first preset whose files are here; a model that only clones has no voice to warm up with."""
    found = await _any_voice(resident)
    if found is None:
        return None
    pace = await _speak(resident, WORD, *found)
    if resident.card.whole and pace < QUICK:
        # The first word also paid for what is done once.
        pace = max(pace, await _speak(resident, PHRASE, *found))
    return pace_class(pace) if resident.card.whole else None


async def _speak(resident: Resident, text: str, language: str, conditioning: Conditioning) -> float:
    """Seconds of sound a second of computing."""
    before = resident.numbers
    line = Line("warm-up", text, language, conditioning, resident.engine.Options(), seed=0, longest=LONGEST)
    with suppress(Runaway):
        async with aclosing(resident.speak(line, Listener("file"))) as pieces:
            async for _ in pieces:
                pass
    busy = resident.numbers.busy_seconds - before.busy_seconds
    return (resident.numbers.sound_seconds - before.sound_seconds) / busy if busy > 0 else inf


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
