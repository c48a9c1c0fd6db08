"""History as objects in the store, for serverless workers without a database: one JSON object a job.

Beside it lies an empty one whose key begins with the day and the time counted down, so that a listing gives the
newest first; one for each sound that is kept, by age and size; and one for each accepted job that is not done.
What a filter or a search looks at is bounded, and the page says so.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

from basics.errors import Failure
from store.folder import Folder
from store.history.holder import is_gone
from store.history.record import Page, Query, Record, Sound, Work
from store.objects import Conflict, Objects

JOBS, WHEN, KEPT, WORK, WISHES = "history/jobs/", "history/when/", "history/kept/", "history/work/", "history/wishes/"
LAST_SECOND = 9_999_999_999
DAY_SECONDS = 86_400
SCANNED = 2_000
"""Jobs that a filter or a search looks at, from the newest on."""
LISTED = 20_000
"""Jobs up to which a page's total is counted."""
READERS = 16
"""Objects read at once."""
RECORD_BYTES = 2_000_000


class Keyed:
    shared = True

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def write(self, records: Sequence[Record]) -> None:
        with ThreadPoolExecutor(min(READERS, len(records))) as beside:
            list(beside.map(self._write, records))

    def _write(self, record: Record) -> None:
        known = self.get(record.id)
        if known is not None:
            record = replace(record, created=known.created, batch=known.batch)
        self._put(record)
        if known is None:
            self._objects.put(_when(record), b"")
        if record.audio and record.ended is not None:
            self._objects.put(_kept(record), b"")

    def get(self, id: str) -> Record | None:
        found = self._read(f"{JOBS}{_name(id)}.json")
        return None if found is None else Record.of_dict(found[0])

    def page(self, query: Query) -> Page:
        skip = (query.page - 1) * query.page_size
        if query == Query(query.page, query.page_size):
            names = list(islice(self._newest(), LISTED + 1))
            chosen = self._records(names[skip : skip + query.page_size])
            return Page(tuple(chosen), min(len(names), LISTED), more=len(names) > LISTED)
        names = list(islice(self._newest(), SCANNED + 1))
        found = [record for record in self._records(names[:SCANNED]) if _wanted(record, query)]
        cut = len(names) > SCANNED
        said = f"Only the newest {SCANNED:,} jobs were looked through; a database, set with DATABASE_URL, finds all."
        return Page(tuple(found[skip : skip + query.page_size]), len(found), more=cut, warnings=(said,) if cut else ())

    def forget(self, before: float, limit: int) -> int:
        """From the oldest on; a listing has them last."""
        old = [key for key in self._keys(WHEN) if _second(key) < before]
        for key in (gone := old[-limit:]):
            self._objects.delete(f"{JOBS}{key.rpartition('-')[2]}.json")
            self._objects.delete(key)
        return len(gone)

    def accept(self, record: Record, work: Work, holder: str, until: float) -> None:
        self._write(record)
        held = {"id": record.id, "input": work.input, "holder": holder, "until": until, "begun": 1}
        self._objects.put(f"{WORK}{_name(record.id)}.json", json.dumps(held).encode(), "application/json")

    def claim(self, holder: str, until: float, now: float, limit: int) -> list[Work]:
        found: list[Work] = []
        for entry in self._objects.list(WORK):
            if len(found) == limit:
                break
            if (work := self._claimed(entry.key, holder, until, now)) is not None:
                found.append(work)
        return found

    def _claimed(self, key: str, holder: str, until: float, now: float) -> Work | None:
        """A conditional put has one winner."""
        read = self._read(key)
        if read is None:
            return None
        held, etag = read
        free = held["until"] < now or (held["holder"] != holder and is_gone(held["holder"]))
        if not free:
            return None
        mine = held | {"holder": holder, "until": until, "begun": held["begun"] + 1}
        try:
            self._objects.put(key, json.dumps(mine).encode(), "application/json", if_match=etag)
        except Conflict:
            return None
        return Work(held["id"], held["input"], mine["begun"], not self.wished([held["id"]]))

    def renew(self, ids: Iterable[str], holder: str, until: float) -> None:
        for id in ids:
            key = f"{WORK}{_name(id)}.json"
            read = self._read(key)
            if read is not None and read[0]["holder"] == holder:
                with suppress(Conflict):  # another has claimed it meanwhile
                    held = json.dumps(read[0] | {"until": until}).encode()
                    self._objects.put(key, held, "application/json", if_match=read[1])

    def release(self, ids: Iterable[str], holder: str) -> None:
        self.renew(ids, holder, -1.0)

    def settle(self, id: str, audio: str) -> None:
        known = self.get(id) if audio else None
        if known is not None and not known.audio:
            self._write(replace(known, audio=audio))
        self._objects.delete(f"{WORK}{_name(id)}.json")
        self._objects.delete(f"{WISHES}{_name(id)}")

    def wish(self, id: str) -> None:
        self._objects.put(f"{WISHES}{_name(id)}", b"")

    def wished(self, ids: Iterable[str]) -> set[str]:
        """One listing for all."""
        wishes = {entry.key for entry in self._objects.list(WISHES)}
        return {id for id in ids if f"{WISHES}{_name(id)}" in wishes}

    def stale(self, before: float, keep_bytes: float, limit: int) -> list[Sound]:
        size, old = 0.0, []
        for key in self._keys(KEPT):
            size += int(key.split("-")[1])
            if size > keep_bytes or _second(key) < before:
                old.append(key.rpartition("-")[2])
        records = [self._read(f"{JOBS}{name}.json") for name in old[-limit:]]
        found = [Record.of_dict(read[0]) for read in reversed(records) if read is not None]
        return [Sound(record.id, record.audio, record.created) for record in found]

    def silenced(self, ids: Iterable[str]) -> None:
        for id in ids:
            known = self.get(id)
            if known is not None:
                self._objects.delete(_kept(known))
                self._put(replace(known, audio=""))

    def close(self) -> None:
        """The store is the house's."""

    def _put(self, record: Record) -> None:
        told = json.dumps(record.as_dict()).encode()
        self._objects.put(f"{JOBS}{_name(record.id)}.json", told, "application/json")

    def _read(self, key: str) -> tuple[dict[str, Any], str] | None:
        try:
            data, etag = self._objects.get(key, RECORD_BYTES)
            return dict(json.loads(data)), etag
        except ValueError:
            return None
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise

    def _newest(self) -> Iterator[str]:
        """Names of jobs."""
        return (key.rpartition("-")[2] for key in self._keys(WHEN))

    def _records(self, names: Sequence[str]) -> list[Record]:
        with ThreadPoolExecutor(READERS) as beside:
            found = beside.map(self._read, [f"{JOBS}{name}.json" for name in names])
            return [Record.of_dict(read[0]) for read in found if read is not None]

    def _keys(self, prefix: str) -> Iterator[str]:
        """A folder walks all it lists before it gives the first: there each day is asked for by itself."""
        if isinstance(self._objects, Folder):
            above = self._objects.root / prefix
            days = sorted(day.name for day in above.iterdir() if day.is_dir()) if above.is_dir() else []
            parts = [f"{prefix}{day}/" for day in days]
        else:
            parts = [prefix]
        for part in parts:
            for entry in self._objects.list(part):
                yield entry.key


def _name(id: str) -> str:
    """Ids come from callers: a digest is a safe name."""
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _counted_down(seconds: float) -> str:
    """The day, as a folder, and the second: both get smaller as time goes on."""
    left = LAST_SECOND - int(seconds)
    return f"{left // DAY_SECONDS:06d}/{left:010d}"


def _when(record: Record) -> str:
    """The lines of a batch come within a second, and are to be found in their order."""
    left = 999_999 - int(record.created % 1 * 1e6)
    return f"{WHEN}{_counted_down(record.created)}-{left:06d}-{_name(record.id)}"


def _kept(record: Record) -> str:
    return f"{KEPT}{_counted_down(record.ended or 0.0)}-{record.bytes}-{_name(record.id)}"


def _second(key: str) -> int:
    return LAST_SECOND - int(key.rpartition("/")[2].partition("-")[0])


def _wanted(record: Record, query: Query) -> bool:
    asked = ((query.state, record.state), (query.model, record.model), (query.voice, record.voice))
    if any(want and want != have for want, have in (*asked, (query.batch, record.batch))):
        return False
    if not query.search:
        return True
    *words, start = re.findall(r"\w+", query.search.lower()) or ["\0"]
    said = re.findall(r"\w+", record.text.lower())
    return all(word in said for word in words) and any(word.startswith(start) for word in said)
