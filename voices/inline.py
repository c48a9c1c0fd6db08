"""Voices that come with a request: fetched, cleaned and kept in memory by what they are, so that the same recording
costs its cleaning once, and the same address its way. Nothing of them reaches the store.
"""

import asyncio
import base64
import hashlib
import json
import threading
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from voices.describing import described, voice_of
from voices.kept import Kept
from voices.record import Record
from voices.reference import Limits, Reference, take_in
from voices.remembered import Remembered
from voices.sources import Places, Source, collect, sources
from voices.transcribing import DEAF, Transcriber, transcribed
from voices.voice import Voice

MEMORY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Asked:
    recordings: tuple[bytes, ...]
    transcript: str
    reads: float | None


class Inline:
    def __init__(self, limits: Limits, transcriber: Transcriber = DEAF, remembered: Remembered | None = None) -> None:
        self._limits, self._transcriber = limits, transcriber
        self._remembered = remembered or Remembered()
        self._voices: Kept[str, Voice] = Kept(
            MEMORY_BYTES, lambda voice: voice.samples.nbytes if voice.samples is not None else 0
        )

    async def voice(
        self,
        reference: Any,
        transcript: str,
        places: Places,
        cancel: threading.Event,
        field: str,
        reads: float | None = None,
    ) -> Voice:
        """`field`: what the caller wrote it in, for messages. `reads`: how many seconds of it a model hears that
        wants to know what is said; where nobody says it, it is written down first."""
        recordings = await asyncio.to_thread(self._collected, reference, places, cancel, field)
        asked = _Asked(recordings, transcript.strip(), reads)
        matters = json.dumps([[hashlib.sha256(data).hexdigest() for data in recordings], asked.transcript, reads])
        digest = f"inline:{hashlib.sha256(matters.encode()).hexdigest()}"
        return await self._voices.get(digest, partial(asyncio.to_thread, self._cleaned, digest, asked, places, field))

    def _collected(self, reference: Any, places: Places, cancel: threading.Event, field: str) -> tuple[bytes, ...]:
        return tuple(self._brought(source, places, cancel) for source in sources(reference, field))

    def _brought(self, source: Source, places: Places, cancel: threading.Event) -> bytes:
        if source.kind == "web":
            return self._remembered.fetch(source.value, places.fetching, cancel, source.field)
        return collect(source, places, cancel)

    def _cleaned(self, digest: str, asked: _Asked, places: Places, field: str) -> Voice:
        """Not cancelled with the job that began it: another may be waiting for the same."""
        given = [base64.b64encode(data).decode() for data in asked.recordings]
        reference = take_in(given if len(given) > 1 else given[0], places, self._limits, field=field)
        record = described(Record(id="inline", transcript=asked.transcript), reference, hears=False)
        voice = voice_of(self._read(record, reference, asked.reads), reference.samples, reference.rate)
        return replace(voice, kind="inline", digest=digest)

    def _read(self, record: Record, reference: Reference, reads: float | None) -> Record:
        """With what is said in its chosen seconds, as far as a model wants it and somebody can tell."""
        if reads is None or (record.spoken and record.heard_seconds <= reads) or not self._transcriber.ready():
            return record
        start, end = record.chosen or (0.0, reference.seconds)
        part = reference.samples[round(start * reference.rate) : round(end * reference.rate)]
        heard = self._transcriber.hear(part, reference.rate, "", threading.Event())
        return transcribed(record, heard)
