"""Voices that come with a request: fetched, cleaned and kept in memory by what they are, so that the same recording
costs its cleaning once. Nothing of them reaches the store.
"""

import asyncio
import base64
import hashlib
import json
import threading
from functools import partial
from typing import Any

from voices.choosing import LONGEST, SHORTEST, choose
from voices.kept import Kept
from voices.reference import Limits, take_in
from voices.sources import Places, collect, sources
from voices.voice import Voice

MEMORY_BYTES = 64 << 20


class Inline:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._voices: Kept[str, Voice] = Kept(
            MEMORY_BYTES, lambda voice: voice.samples.nbytes if voice.samples is not None else 0
        )

    async def voice(
        self, reference: Any, transcript: str, places: Places, cancel: threading.Event, field: str
    ) -> Voice:
        """`field`: what the caller wrote it in, for messages."""
        recordings = await asyncio.to_thread(_collected, reference, places, cancel, field)
        matters = json.dumps([[hashlib.sha256(data).hexdigest() for data in recordings], transcript])
        digest = f"inline:{hashlib.sha256(matters.encode()).hexdigest()}"
        make = partial(asyncio.to_thread, self._cleaned, digest, recordings, transcript, places, field)
        return await self._voices.get(digest, make)

    def _cleaned(self, digest: str, recordings: list[bytes], transcript: str, places: Places, field: str) -> Voice:
        """Not cancelled with the job that began it: another may be waiting for the same."""
        given = [base64.b64encode(data).decode() for data in recordings]
        reference = take_in(given if len(given) > 1 else given[0], places, self._limits, field=field)
        shortest = min(SHORTEST, reference.seconds)
        chosen = choose(reference.samples, reference.rate, reference.spans, shortest, LONGEST)
        whole = len(chosen.samples) == len(reference.samples)
        return Voice(
            "inline",
            "inline",
            digest,
            transcript=transcript if whole else "",
            samples=chosen.samples.copy(),
            rate=reference.rate,
        )


def _collected(reference: Any, places: Places, cancel: threading.Event, field: str) -> list[bytes]:
    return [collect(source, places, cancel) for source in sources(reference, field)]
