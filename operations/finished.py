"""Jobs that have ended, for those who come for them: a while in memory, and behind that in the store.

What is held in memory is bounded by number, age and size, and so is the sound on this machine's disk.
"""

import asyncio
import json
import logging
from collections import deque

from basics.errors import CODES, Failure
from basics.events import Done
from operations.errand import Errand, Result
from operations.house import House
from operations.queue import plain
from speech.formats import FORMATS
from store.history.record import Record

log = logging.getLogger("worker.finished")

MOST = 1000
LONGEST_SECONDS = 1800.0
MOST_ANSWER_BYTES, MOST_SOUND_BYTES = 64_000_000, 1_000_000_000


class Finished:
    def __init__(self, house: House) -> None:
        self._house = house
        self._errands: deque[Errand] = deque()
        self._keeps = bool(house.settings.result_seconds and house.settings.result_gb)

    def put(self, errand: Errand) -> list[Errand]:
        """Those that must make room for it, the oldest first."""
        self._errands.append(errand)
        gone = []
        while self._over():
            gone.append(self._errands.popleft())
        return gone

    async def keep(self, errand: Errand, done: Done) -> str:
        """Answer and sound into the store. Where the sound is, as history has it; empty where it is nowhere."""
        errand.answer_bytes = len(json.dumps(plain(done.answer)))
        if not self._keeps:
            return done.location
        audio = done.answer.get("audio") or {}
        sound = None if done.location else done.data or errand.tape.sound
        format = FORMATS.get(str(audio.get("format")))
        try:
            return await asyncio.to_thread(
                self._house.sounds.keep,
                errand.record,
                plain(done.answer),
                sound,
                format.content_type if format else "",
                done.location,
            )
        except Failure as failure:
            log.warning("result_not_kept", extra={"job": errand.job.id, "code": failure.code})
            return done.location

    def result(self, record: Record) -> Result:
        """Of a job that is in memory no more, or was another process's. Blocks."""
        if record.state == "done":
            return Result(record, self._house.sounds.answer(record))
        if record.open:
            return Result(record)
        code = record.code if record.code in CODES else "internal"
        return Result(record, error=Failure(code, record.message))

    def _over(self) -> bool:
        if len(self._errands) < 2:
            return False
        oldest = self._errands[0]
        return (
            len(self._errands) > MOST
            or self._house.clock.now() - oldest.ended > LONGEST_SECONDS
            or sum(each.answer_bytes for each in self._errands) > MOST_ANSWER_BYTES
            or sum(each.tape.bytes for each in self._errands) > MOST_SOUND_BYTES
        )
