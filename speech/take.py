"""A take: an order's sound as it comes, mastered line by line and handed to its outlet.

It computes, so it is called in threads, one call at a time; closing it waits for the call under way. Where
each line is in the programme is known to the sample.
"""

import hashlib
import re
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from basics.audio import Samples, from_db
from basics.errors import Failure
from models.engine import Piece
from speech.delivery import Recording
from speech.encoding import Encoder
from speech.marking import Marking
from speech.mastering import Mastering, Span
from speech.order import Order, Role
from speech.programme import Programme

NAME = "speech"
WORD = re.compile(r"\S+")
HAIR_SECONDS = 0.001
"""Before its line's end: a word is heard within it."""
BLOCK = 2**14
"""Samples that are mastered at once: what lies between the steps stays in the processor's cache, and is memory that the
allocator has at hand. Over a whole line at once a third more time went, most of it into fetching fresh pages."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the programme; for a file without bytes, since those come at the end."""

    data: bytes
    start: float
    duration: float
    text: str = ""


FIRST_BITE_SECONDS = 0.2


def bites(piece: Piece, rate: int) -> Iterator[Piece]:
    """A stream's first piece in parts that double: the first is out before the last is mastered and encoded."""
    start, size = 0, round(rate * FIRST_BITE_SECONDS)
    while start + size < len(piece.samples):
        yield replace(piece, samples=piece.samples[start : start + size], last=False, words=())
        start, size = start + size, 2 * size
    yield replace(piece, samples=piece.samples[start:])


class Outlet(Protocol):
    """Takes the programme's samples."""

    def feed(self, samples: Samples) -> bytes: ...

    def finish(self) -> bytes: ...

    @property
    def seconds(self) -> float:
        """Of sound that came out so far."""
        ...

    def recording(self) -> Recording | None:
        """The whole file, once finished, if there is one."""
        ...

    def close(self) -> None: ...


class Take:
    def __init__(self, order: Order) -> None:
        self.spans: list[Span] = []
        """Of each line that has ended."""
        self.recording: Recording | None = None
        self._bytes, self._digest = 0, hashlib.sha256()
        self._order = order
        self._folder = tempfile.TemporaryDirectory(prefix="take-")
        path = Path(self._folder.name) / f"{NAME}.{order.output.format.extension}"
        self._outlet: Outlet = (
            Stream(order, path if order.keep else None) if order.streams else File(order, path, self._unless_left)
        )
        # Voices are brought to the loudness one by one, so the stream as a whole needs no gain of its own.
        loudness = order.loudness
        rate = order.card.rate
        self._mastering = Mastering.for_stream(rate, loudness, loudness) if order.streams else Mastering(rate)
        self._gains_db: dict[str, float] = {}
        self._line = -1
        self._began, self._told = 0.0, 0
        self._heard = 0.0
        self._texts: deque[tuple[float, str]] = deque()
        self._pending = b""
        self._lock = threading.Lock()
        self._left = False

    def level(self, gains_db: dict[str, float]) -> None:
        """Gains of voices that were measured when the engine met them, by digest; they go before a role's own."""
        self._gains_db = gains_db

    def hear(self, index: int, piece: Piece) -> Chunk | None:
        """The next piece of a line; lines come in order. What can leave by now leaves."""
        with self._lock, _disk():
            self._unless_left()
            if index != self._line:
                self._begin(index)
            role = self._order.roles[index]
            gain_db = self._gains_db.get(role.voice.digest, role.gain_db)
            gain, given = from_db(gain_db), b""
            for at in range(0, len(piece.samples), BLOCK):
                given += self._outlet.feed(self._mastering.feed(piece.samples[at : at + BLOCK] * gain))
            if piece.last:
                rest, span = self._mastering.end()
                self.spans.append(span)
                given += self._outlet.feed(rest)
            if role.live:
                self._follow(role, piece.last)
            return self._chunk(given)

    def finish(self) -> Chunk | None:
        """What was held back; from now on there is a recording, where one is made."""
        with self._lock, _disk():
            self._unless_left()
            if not any(span.duration for span in self.spans):
                raise Failure("internal", "The model gave silence where it was to speak.", retryable=True)
            given = self._outlet.feed(self._mastering.finish(self._order.after)) + self._outlet.finish()
            self.recording = self._outlet.recording()
            return self._chunk(given, ended=True)

    def close(self) -> None:
        """Lets go of everything, files too. Idempotent."""
        self._left = True
        with self._lock:
            self._outlet.close()
            self._folder.cleanup()

    @property
    def seconds(self) -> float:
        return self._outlet.seconds

    def about(self) -> dict[str, Any]:
        """The contract's `audio` of a stream: what its joined chunks are."""
        return {
            "format": self._order.output.format.name,
            "sample_rate": self._order.output.rate,
            "bytes": self._bytes,
            "duration": round(self.seconds, 4),
            "sha256": self._digest.hexdigest(),
        }

    def _begin(self, index: int) -> None:
        role = self._order.roles[index]
        speed = role.segment.speed / native_speed(self._order, role.segment.speed)
        self._began, self._told = self._mastering.position + role.segment.pause, 0
        if not role.live:
            self._texts.append((self._began, role.segment.text))
        self._mastering.begin(role.segment.pause, speed=speed, pitch=self._order.pitch)
        self._line = index

    def _follow(self, role: Role, ended: bool) -> None:
        """A live line is told word by word, each when its turn must be by the model's pace, all by the line's end."""
        text, position = role.segment.text, self._mastering.position
        for word in WORD.finditer(text, self._told):
            at = self._began + self._order.card.seconds(text[: word.start()]) / role.segment.speed
            if at > position and not ended:
                return
            self._texts.append((min(at, position - HAIR_SECONDS), word[0]))
            self._told = word.end()

    def _chunk(self, data: bytes, *, ended: bool = False) -> Chunk | None:
        """A header alone waits for the first sound."""
        self._pending += data
        now = self._outlet.seconds
        if now <= self._heard and not (ended and self._pending):
            return None
        texts = []
        while self._texts and (ended or self._texts[0][0] < now):
            texts.append(self._texts.popleft()[1])
        chunk = Chunk(bytes(self._pending), self._heard, now - self._heard, " ".join(texts))
        self._bytes += len(chunk.data)
        self._digest.update(chunk.data)
        self._pending, self._heard = b"", now
        return chunk

    def _unless_left(self) -> None:
        if self._left or self._order.cancel.is_set():
            raise Failure("cancelled", "The job was cancelled.")


def native_speed(order: Order, asked: float) -> float:
    """The part of the speed that the engine does itself; sound is stretched for the rest."""
    if order.card.speed is None:
        return 1.0
    least, most = order.card.speed
    return min(most, max(least, asked))


class Stream:
    """Encodes as the sound comes; keeps the joined bytes in a file where asked."""

    def __init__(self, order: Order, kept: Path | None) -> None:
        self._order = order
        self._encoder = Encoder(order.output, order.card.rate, order.stamp)
        self._kept = kept
        self._file = kept.open("wb") if kept else None

    def feed(self, samples: Samples) -> bytes:
        return self._keep(self._encoder.feed(samples)) if samples.size else b""

    def finish(self) -> bytes:
        return self._keep(self._encoder.finish())

    @property
    def seconds(self) -> float:
        return self._encoder.seconds

    def recording(self) -> Recording | None:
        if self._file is None or self._kept is None:
            return None
        self._file.close()
        return recording(self._order, self._kept, self.seconds)

    def close(self) -> None:
        self._encoder.close()
        if self._file is not None:
            self._file.close()

    def _keep(self, data: bytes) -> bytes:
        if self._file is not None:
            self._file.write(data)
        return data


class File:
    """Hears the whole programme first: its loudness is one, and its header is exact."""

    def __init__(self, order: Order, path: Path, check: Callable[[], None]) -> None:
        """`check` raises when nobody wants the file any more."""
        self._order, self._path, self._check = order, path, check
        self._programme = Programme(order.card.rate, order.loudness)
        self._marking = Marking(order.watermark, order.card.rate) if order.watermark else None
        self._samples = 0

    def feed(self, samples: Samples) -> bytes:
        self._programme.feed(samples if self._marking is None else self._marking.feed(samples))
        self._samples += samples.size
        return b""

    def finish(self) -> bytes:
        if self._marking is not None:
            self._programme.feed(self._marking.finish())
        with self._path.open("w+b") as file:
            with Encoder(self._order.output, self._order.card.rate, self._order.stamp, file) as encoder:
                for samples in self._programme.finish(self._check):
                    self._check()
                    encoder.feed(samples)
                encoder.finish()
        return b""

    @property
    def seconds(self) -> float:
        return self._samples / self._order.card.rate

    def recording(self) -> Recording:
        return recording(self._order, self._path, self.seconds)

    def close(self) -> None:
        self._programme.close()


def recording(order: Order, path: Path, seconds: float) -> Recording:
    return Recording(path, order.output.format.name, order.output.rate, seconds, NAME)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure("storage_failed", "The worker's own disk could not be written; it may be full.") from error
