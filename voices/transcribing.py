"""What is said in voices' recordings, by the recogniser where one is installed, in the background and one at a time.

A voice that waits for its transcript says so (`pending`), so any worker can go on with it where another was stopped.
What was found is written down only if the voice still waits: an edit made meanwhile stays. Knows no operations.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Word
from basics.settings import Settings
from listening.recogniser import Flag, Heard, installed
from voices.aligning import aligned, kept
from voices.record import Record

log = logging.getLogger("worker.voices")

TAKE_UP_SECONDS = 120.0
"""After which a transcript that another worker owes is written by whoever sees the voice."""
MOST_WAITING = 200
"""More are left for a later look."""

Change = Callable[[Record], Record]
Sound = Callable[[Record], tuple[Record, Samples, int]]
"""From a voice to its record as it is now, its whole recording and the rate."""
Amend = Callable[[str, Change], Record | None]


class Transcriber(Protocol):
    def ready(self) -> bool:
        """Whether there is one. Costs next to nothing."""
        ...

    def hear(self, samples: Samples, rate: int, language: str, cancel: Flag) -> Heard | None:
        """None where it fails: a voice is of use without. It blocks. Raises `cancelled`."""
        ...


class Deaf:
    def ready(self) -> bool:
        return False

    def hear(self, samples: Samples, rate: int, language: str, cancel: Flag) -> Heard | None:
        return None


DEAF = Deaf()


@dataclass(frozen=True, slots=True)
class Installed:
    """Whatever the environment has."""

    settings: Settings

    def ready(self) -> bool:
        with contextlib.suppress(Failure):
            installed(self.settings)
            return True
        return False

    def hear(self, samples: Samples, rate: int, language: str, cancel: Flag) -> Heard | None:
        try:
            return installed(self.settings).hear(samples, rate, language, cancel)
        except Failure as failure:
            if failure.code == "cancelled":
                raise
            log.warning("voice_unheard", extra={"code": failure.code})
            return None


class Scribe:
    """For one event loop."""

    def __init__(self, transcriber: Transcriber, sound: Sound, amend: Amend) -> None:
        self._transcriber, self._sound, self._amend = transcriber, sound, amend
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Semaphore(1)
        self._cancel = threading.Event()
        self._in_vain: set[str] = set()
        """Texts whose words could not be found in what was heard."""

    def owes(self, record: Record, most_seconds: float) -> bool:
        """Whether it can find out what an engine that hears so much would read."""
        untimed = record.transcript and not record.words and record.heard_seconds > most_seconds
        owed = untimed and record.reading not in self._in_vain
        return (record.transcript_state == "pending" or bool(owed)) and self._transcriber.ready()

    def take_up(self, record: Record, now: bool = False) -> None:
        """In the background; unless `now`, only where whoever began it seems to be gone."""
        if record.transcript_state != "pending" or not (now or _age(record) > TAKE_UP_SECONDS):
            return
        if self._transcriber.ready() and len(self._under_way) < MOST_WAITING:
            self._begin(record)

    async def finish(self, record: Record, seconds: float) -> bool:
        """Waits for it so long. Whether it is done; it goes on if not."""
        done, _ = await asyncio.wait([self._begin(record)], timeout=seconds)
        return bool(done)

    async def close(self) -> None:
        self._cancel.set()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _begin(self, record: Record) -> asyncio.Task[None]:
        task = self._under_way.get(record.id)
        if task is None:
            task = self._under_way[record.id] = asyncio.ensure_future(self._work(record))
            task.add_done_callback(lambda _: self._under_way.pop(record.id, None))
        return task

    async def _work(self, record: Record) -> None:
        async with self._one_at_a_time:
            try:
                await asyncio.to_thread(self._write, record)
            except Failure as failure:
                if failure.code != "cancelled":
                    log.warning("voice_unheard", extra={"voice": record.id, "code": failure.code})

    def _write(self, record: Record) -> None:
        """A store that fails leaves the voice as it waits; a recogniser that fails ends the waiting."""
        record, samples, rate = self._sound(record)
        start, end = record.chosen or (0.0, len(samples) / rate)
        part = samples[round(start * rate) : round(end * rate)]
        if self._cancel.is_set():
            return
        heard = self._transcriber.hear(part, rate, record.language, self._cancel)
        after = self._amend(record.id, lambda known: _unless_changed(known, record, heard))
        if after is not None and after.reading == record.reading:
            self._in_vain.add(record.reading)


def _unless_changed(known: Record, before: Record, heard: Heard | None) -> Record:
    """The very same record where somebody changed it in what matters since."""
    if known.digest != before.digest or known.transcript != before.transcript:
        return known
    settled = known.words if known.transcript else known.transcript_state != "pending"
    return known if settled else transcribed(known, heard)


def transcribed(record: Record, heard: Heard | None) -> Record:
    """With what was heard in its chosen seconds: what is said there, or, where that is known, when each word is."""
    start = record.chosen[0] if record.chosen is not None else 0.0
    words = [Word(word.text, word.start + start, word.end + start) for word in heard.words] if heard else []
    if record.transcript:
        placed = aligned(record.transcript, words)
        return record.model_copy(update={"words": kept(placed)}) if placed else record
    if heard is None or not heard.text.strip():
        return record.model_copy(update={"transcript_state": "none"})
    found = {"transcript": heard.text.strip(), "transcript_state": "done", "of_chosen": True, "words": kept(words)}
    return record.model_copy(update=found)


def _age(record: Record) -> float:
    """Seconds since it was changed, by the clocks of two machines; very old where that cannot be read."""
    try:
        return time.time() - datetime.fromisoformat(record.updated).timestamp()
    except (ValueError, OverflowError, OSError):
        return float("inf")
