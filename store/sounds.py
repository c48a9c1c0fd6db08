"""Where the sound of a finished job is, and its answer, long after the job: `bucket:`, `volume:` or `results:`.

The first two are what delivery stored for the caller, by the key it chose. Under `results` are those of jobs that
a server ran for callers who come back for them. Calls block. What a place says when it fails is `storage_failed`.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from basics.errors import Failure
from store.bucket import Bucket
from store.folder import Folder
from store.history.record import Record, Sound
from store.objects import Objects

ANSWER = "answer.json"
LONGEST_ANSWER_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Sounds:
    bucket: Bucket | None
    volume: Folder
    results: Objects

    def find(self, record: Record) -> tuple[Objects, str] | None:
        """The place and the key. None where it was never kept, or is no longer."""
        kind, _, key = record.audio.partition(":")
        places: dict[str, Objects | None] = {"bucket": self.bucket, "volume": self.volume, "results": self.results}
        place = places.get(kind)
        if place is None or not key or not record.format:
            return None
        return place, key

    def keep(
        self,
        record: Record,
        answer: dict[str, Any],
        sound: bytes | Path | None = None,
        content_type: str = "",
        location: str = "",
    ) -> str:
        """The answer, and the sound if there is any that has no `location` yet. The location for history."""
        folder = _folder(record.id, record.created)
        self.results.put(f"{folder}/{ANSWER}", json.dumps(answer).encode(), "application/json")
        if location or sound is None:
            return location or f"results:{folder}/{ANSWER}"
        key = f"{folder}/speech.{answer.get('audio', {}).get('format', 'bin')}"
        self.results.put(key, sound, content_type)
        return f"results:{key}"

    def answer(self, record: Record) -> dict[str, Any] | None:
        """What the job was answered with, where that is still kept."""
        try:
            data, _ = self.results.get(f"{_folder(record.id, record.created)}/{ANSWER}", LONGEST_ANSWER_BYTES)
        except Failure as failure:
            if failure.code == "not_found":
                return None
            raise
        found: dict[str, Any] = json.loads(data)
        return found

    def remove(self, sound: Sound) -> None:
        """Idempotent."""
        kind, _, key = sound.audio.partition(":")
        if kind == "bucket" and self.bucket is not None:
            self.bucket.delete(key)
        elif kind == "volume":
            self.volume.delete(key)
        elif kind == "results":
            self.results.delete(key)
        self.results.delete(f"{_folder(sound.id, sound.created)}/{ANSWER}")


def _folder(id: str, created: float) -> str:
    """Ids come from callers: a digest is a safe name."""
    day = datetime.fromtimestamp(created, UTC).strftime("%Y/%m/%d")
    return f"results/{day}/{hashlib.sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
