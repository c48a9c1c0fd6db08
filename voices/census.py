"""Which voices there are: listed from the store, read where they changed, and remembered in between.

A look at what is remembered costs nothing; how old it may be is the caller's to say. It blocks and may be
called from any thread. What this worker writes itself is told to it at once.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from basics.clock import Clock
from basics.errors import Failure
from store.objects import Entry, Objects
from voices.dropped import Dropped, dropped
from voices.record import FILE, RECORD_BYTES, Record, is_id, record_key

READERS = 16
"""Records read side by side: as many as a bucket's client has connections."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A voice as it lies in the store."""

    record: Record | None
    """None: there is a `voice.json`, and it cannot be read."""
    etag: str
    """Of its `voice.json`; empty where it has none that was kept."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the whole store saw."""

    voices: dict[str, Seen] = field(default_factory=dict)
    files: dict[str, Dropped] = field(default_factory=dict)
    derived: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By id, the names of what engines derived."""
    abandoned: tuple[str, ...] = ()
    """Ids whose record was made from a file that is gone."""


class Census:
    def __init__(self, objects: Objects, clock: Clock, gone: Callable[[Record], None]) -> None:
        """`gone` hears of each record that is no more, or is another by now."""
        self._objects, self._clock, self._gone = objects, clock, gone
        self._found = Found()
        self._at: float | None = None
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._writes = 0
        self._own: dict[str, tuple[int, Seen | None]] = {}
        """What this worker wrote, until a look that began later has seen it."""

    def age(self) -> float:
        """Seconds since the last look."""
        return float("inf") if self._at is None else self._clock.now() - self._at

    def find(self, id: str) -> Seen | None:
        return self._found.voices.get(id)

    def file(self, id: str) -> Dropped | None:
        return self._found.files.get(id)

    def derived(self, id: str) -> tuple[str, ...]:
        return self._found.derived.get(id, ())

    def voices(self) -> dict[str, Seen]:
        return self._found.voices

    def files(self) -> dict[str, Dropped]:
        return self._found.files

    def abandoned(self) -> tuple[str, ...]:
        return self._found.abandoned

    def refresh(self, older_than: float = 0.0) -> None:
        """Looks, unless somebody did meanwhile."""
        with self._looking:
            if self._at is not None and self.age() < older_than:
                return
            at, writes = self._clock.now(), self._writes
            found = self._look_around()
            with self._lock:
                self._own = {id: own for id, own in self._own.items() if own[0] > writes}
                for id, (_, seen) in self._own.items():
                    _set(found.voices, id, seen)
                before, self._found, self._at = self._found, found, at
            self._tell(before.voices, found.voices)

    def look(self, id: str) -> Seen | None:
        """Past all memory: the record as it lies there now."""
        try:
            data, etag = self._objects.get(record_key(id), RECORD_BYTES)
        except Failure as failure:
            if failure.code != "not_found":
                raise
            return None
        return Seen(_read(id, data), etag)

    def wrote(self, id: str, seen: Seen | None) -> None:
        """This worker made, changed or deleted it."""
        with self._lock:
            before = self._found.voices.get(id)
            self._writes += 1
            self._own[id] = (self._writes, seen)
            voices = dict(self._found.voices)  # others may be going through the old one
            _set(voices, id, seen)
            self._found = replace(self._found, voices=voices)
        self._tell({id: before} if before else {}, {id: seen} if seen else {})

    def postpone(self) -> None:
        """The store could not be listed: the next look is due when this one would have been."""
        self._at = self._clock.now()

    def _look_around(self) -> Found:
        entries = list(self._objects.list())
        files = dropped(entries)
        records = [entry for entry in entries if _id_of(entry) is not None]
        with ThreadPoolExecutor(READERS, "census") as readers:
            read = list(readers.map(self._seen, records))
        known = {id: seen for id, seen in read if seen is not None}
        voices = {id: seen for id, seen in known.items() if still(seen, files.get(id))}
        derived: dict[str, list[str]] = {}
        for entry in entries:
            id, middle, name = entry.key.partition("/derived/")
            if middle:
                derived.setdefault(id, []).append(name.removesuffix(".safetensors"))
        abandoned = tuple(id for id in known if id not in voices and id not in files)
        return Found(voices, files, {id: tuple(names) for id, names in derived.items()}, abandoned)

    def _seen(self, entry: Entry) -> tuple[str, Seen | None]:
        id = entry.key.partition("/")[0]
        known = self._found.voices.get(id)
        if known is not None and known.etag == entry.etag:
            return id, known
        return id, self.look(id)

    def _tell(self, before: dict[str, Seen], after: dict[str, Seen]) -> None:
        for record in _records(before, before):
            now = after.get(record.id)
            if now is None or now.record is None or now.record.digest != record.digest:
                self._gone(record)


def _records(voices: dict[str, Seen], ids: Iterable[str]) -> Iterator[Record]:
    for id in list(ids):
        record = voices[id].record
        if record is not None:
            yield record


def _set(voices: dict[str, Seen], id: str, seen: Seen | None) -> None:
    if seen is None:
        voices.pop(id, None)
    else:
        voices[id] = seen


def _id_of(entry: Entry) -> str | None:
    id, _, name = entry.key.partition("/")
    return id if name == FILE and is_id(id) else None


def _read(id: str, data: bytes) -> Record | None:
    try:
        return Record.read(id, data)
    except Failure:
        return None


def still(seen: Seen, file: Dropped | None) -> bool:
    """A record made from a file lives as long as the file is there and the same."""
    origin = seen.record.origin if seen.record is not None else None
    return origin is None or (file is not None and file.origin == origin)
