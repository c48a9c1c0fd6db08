"""What engines derived from library voices, beside them in the store: safetensors, one file an engine and revision.

A file tells what it was derived from. One of another recording, of other weights or that cannot be read is made
anew; a store that fails costs only the work again.
"""

import json
import logging
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from basics.errors import Failure
from store.objects import Conflict, Objects
from voices.record import RECORD_BYTES, Record, derived_prefix, record_key
from voices.voice import Voice

log = logging.getLogger("worker.voices")

Arrays = dict[str, NDArray[np.generic]]
Key = tuple[str, str]
"""The engine's id and its weights' revision."""

MOST_BYTES = 256 << 20
HEADER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    arrays: Arrays
    """What the engine conditions on."""
    loudness: float | None = None
    """LUFS at which the engine speaks this voice; None: not measured."""

    @property
    def size_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


class DerivedFiles:
    """It blocks. Only for voices of the library: of no others does it keep anything."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def load(self, voice: Voice, key: Key) -> Derived | None:
        try:
            data, _ = self._objects.get(place(voice, key), MOST_BYTES)
        except Failure as failure:
            if failure.code != "not_found":
                log.warning("derived_unread", extra={"code": failure.code})
            return None
        return read(data, voice, key)

    def keep(self, voice: Voice, key: Key, derived: Derived) -> Derived:
        """The one that is kept: another worker may have been quicker."""
        try:
            data = written(derived, voice, key)
            try:
                self._objects.put(place(voice, key), data, if_absent=True)
            except Conflict:
                if (theirs := self.load(voice, key)) is not None:
                    return theirs
                self._objects.put(place(voice, key), data)
            self._unless_gone(voice, key)
        except (Failure, SafetensorError, KeyError) as failure:
            log.warning("derived_unkept", extra={"engine": key[0], "why": type(failure).__name__})
        return derived

    def _unless_gone(self, voice: Voice, key: Key) -> None:
        """A voice that was deleted meanwhile leaves nothing behind."""
        try:
            data, _ = self._objects.get(record_key(voice.id), RECORD_BYTES)
            if Record.read(voice.id, data).digest == of_sound(voice.digest):
                return
        except Failure as failure:
            if failure.code not in ("not_found", "voice_unusable"):
                raise
        self._objects.delete(place(voice, key))


def of_sound(digest: str) -> str:
    """Without what an engine that reads added to it."""
    return digest.partition("+")[0]


def place(voice: Voice, key: Key) -> str:
    engine, revision = (re.sub(r"[^A-Za-z0-9._-]", "_", part)[:100] for part in key)
    return f"{derived_prefix(voice.id)}{engine}-{revision}.safetensors"


def written(derived: Derived, voice: Voice, key: Key) -> bytes:
    about = {"digest": voice.digest, "engine": key[0], "revision": key[1]}
    if derived.loudness is not None:
        about["loudness"] = repr(float(derived.loudness))
    return save({name: np.asarray(array, order="C") for name, array in derived.arrays.items()}, about)


def read(data: bytes, voice: Voice, key: Key) -> Derived | None:
    """None unless it is whole and derived from this voice by these weights."""
    try:
        size = int.from_bytes(data[:8], "little")
        about = json.loads(data[8 : 8 + size])["__metadata__"] if size <= HEADER_BYTES else {}
        if (about.get("digest"), about.get("engine"), about.get("revision")) != (voice.digest, *key):
            return None
        return Derived(load(data), float(about["loudness"]) if "loudness" in about else None)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("derived_damaged", extra={"engine": key[0]})
        return None
