"""Voices in the store: made, changed and deleted so that many workers at once lose nothing and read nothing by halves.

A recording is written first, under a name that no other has; then `voice.json`, which names it, on condition
that nobody changed it meanwhile. Where the store knows no conditions, the last writer of a `voice.json` wins.
It blocks. What a recording is worth and who may speak with it are others' business.
"""

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from basics.audio import Samples
from basics.errors import Failure
from store.objects import Conflict, Objects
from voices.census import Census, Seen
from voices.flac import packed, unpacked
from voices.record import FILE, Record, audio_key, derived_prefix, record_key

TRIES = 60
"""How often a change is made anew when somebody else's came between."""
PAUSE_SECONDS = 0.02
ORPHAN_SECONDS = 600.0
"""A recording that no record has named for so long belongs to a worker that died on the way."""

Change = Callable[[Record], Record]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A recording to keep."""

    samples: Samples
    rate: int
    sha256: str


class Ledger:
    def __init__(self, objects: Objects, census: Census) -> None:
        self._objects, self._census = objects, census

    def create(self, record: Record, sound: Sound, replace: bool) -> Record:
        """Raises `voice_exists`. What a replaced voice had is gone afterwards."""
        with self._kept(record.id, sound) as audio:
            for _ in _tries(record.id):
                known = self._census.look(record.id)
                if known is not None and known.record is not None and known.record.audio == audio:
                    return self._settled(known.record, known.etag, None)  # a put that was thought lost had arrived
                if known is not None and not replace:
                    raise exists(record.id)
                mine = _made(record, known, sound, audio)
                if (etag := self._put(mine, known.etag if known else None)) is not None:
                    return self._settled(mine, etag, known)
        raise AssertionError("unreachable")

    def adopt(self, record: Record, sound: Sound) -> Record:
        """A voice made from files somebody put there. A store that takes nothing leaves it in memory."""
        known = self._census.look(record.id)
        if known is not None and known.record is not None and known.record.origin == record.origin:
            self._census.wrote(record.id, known)
            return known.record
        with self._kept(record.id, sound) as audio:
            mine = _made(record, known, sound, audio)
            etag = self._put(mine, known.etag if known else None)
            if etag is not None:
                return self._settled(mine, etag, known)
        return self.adopt(record, sound)

    def place(self, id: str, name: str, data: bytes, replace: bool) -> None:
        """A file as if somebody had put it there. Raises `voice_exists`."""
        if replace:
            self.delete(id)
        try:
            self._objects.put(name, data, "application/octet-stream", if_absent=True)
        except Conflict:
            raise exists(id) from None

    def amend(self, id: str, change: Change) -> Record | None:
        """What the library found out by itself: the voice is still whose it was. None where there is none any more.

        A `change` that gives back the very record has nothing to say.
        """
        for _ in _tries(id):
            known = self._census.look(id)
            if known is None or known.record is None:
                return None
            mine = change(known.record)
            if mine is known.record:
                return mine
            if (etag := self._put(mine, known.etag)) is not None:
                return self._settled(mine, etag, known)
        raise AssertionError("unreachable")

    def update(self, id: str, change: Change, sound: Sound | None = None) -> Record | None:
        """None where there is no such voice. `change` may be asked more than once."""
        with contextlib.ExitStack() as stack:
            audio = stack.enter_context(self._kept(id, sound)) if sound is not None else ""
            for _ in _tries(id):
                known = self._census.look(id)
                if known is None:
                    return None
                if known.record is None:
                    raise Failure("voice_unusable", f"`{id}` has a voice.json that cannot be read.", hint=ANEW)
                mine = change(known.record).model_copy(update={"updated": now(), "origin": None})
                if sound is not None:
                    mine = _with(mine, sound, audio)
                if (etag := self._put(mine, known.etag)) is not None:
                    return self._settled(mine, etag, known)
        raise AssertionError("unreachable")

    def delete(self, id: str) -> bool:
        """The record first: whoever comes later finds no voice, whoever has it may read on until the rest goes."""
        known, file = self._census.look(id), self._census.file(id)
        for key in file.keys if file else ():
            self._objects.delete(key)
        if known is not None:
            self._objects.delete(record_key(id))
            self._census.wrote(id, None)
            self._clear(id, known.record)
        return known is not None or file is not None

    def clear_abandoned(self, id: str) -> None:
        """What was made from a file that is gone, unless somebody made it their own since."""
        known = self._census.look(id)
        if known is not None and known.record is not None and known.record.origin is not None:
            self.delete(id)

    def sound(self, record: Record) -> tuple[Samples, int]:
        """Raises `not_found` where the recording went since the record was read."""
        return unpacked(self._objects.get(audio_key(record))[0])

    @contextlib.contextmanager
    def _kept(self, id: str, sound: Sound) -> Iterator[str]:
        """A recording in the store, which is taken away again unless a record names it in the end."""
        name = f"{sound.sha256[:16]}-{secrets.token_hex(4)}.flac"
        self._objects.put(f"{id}/{name}", packed(sound.samples, sound.rate), "audio/flac")
        try:
            yield name
        finally:
            with contextlib.suppress(Failure):
                if not _names(self._census.find(id), name) and not _names(self._census.look(id), name):
                    self._objects.delete(f"{id}/{name}")

    def _put(self, record: Record, over: str | None) -> str | None:
        """The new etag; None if somebody else was quicker."""
        try:
            return self._objects.put(
                record_key(record.id), record.written(), "application/json", if_absent=over is None, if_match=over
            )
        except Conflict:
            return None
        except Failure as failure:
            if failure.code != "not_found":
                raise
            return None

    def _settled(self, record: Record, etag: str, before: Seen | None) -> Record:
        self._census.wrote(record.id, Seen(record, etag))
        if before is not None and (before.record is None or before.record.audio != record.audio):
            self._clear(record.id, before.record)
        return record

    def _clear(self, id: str, record: Record | None) -> None:
        """What a voice that is no more had, and what was forgotten long ago. Whatever is young and unknown stays."""
        if record is not None and record.audio:
            self._drop(audio_key(record))
        seen = self._census.find(id)
        named = {FILE, seen.record.audio} if seen is not None and seen.record is not None else {FILE}
        with contextlib.suppress(Failure):
            for entry in list(self._objects.list(f"{id}/")):
                old = time.time() - entry.modified > ORPHAN_SECONDS
                if entry.key.startswith(derived_prefix(id)) or (old and entry.key.partition("/")[2] not in named):
                    self._drop(entry.key)

    def _drop(self, key: str) -> None:
        """What cannot be taken away now is swept later."""
        with contextlib.suppress(Failure):
            self._objects.delete(key)


ANEW = "Create it anew with `replace`."


def exists(id: str) -> Failure:
    return Failure(
        "voice_exists", f"There is a voice `{id}`.", field="id", hint="Send `replace: true` to overwrite it."
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _names(seen: Seen | None, audio: str) -> bool:
    return seen is not None and seen.record is not None and seen.record.audio == audio


def _made(record: Record, known: Seen | None, sound: Sound, audio: str) -> Record:
    at = now()
    created = known.record.created if known is not None and known.record is not None else ""
    return _with(record.model_copy(update={"created": created or at, "updated": at}), sound, audio)


def _with(record: Record, sound: Sound, audio: str) -> Record:
    parts = {
        "audio": audio,
        "sha256": sound.sha256,
        "sample_rate": sound.rate,
        "duration": round(len(sound.samples) / sound.rate, 4),
    }
    return record.model_copy(update=parts)


def _tries(id: str) -> Iterator[int]:
    for number in range(TRIES):
        if number:
            time.sleep(random.uniform(0, PAUSE_SECONDS * min(number, 10)))
        yield number
    raise Failure("busy", f"The voice `{id}` is being changed by many at once; try again.", field="id")
