"""From what engines give to one programme, as a stream: stretched, trimmed, joined, and level if asked.

    line's sound -> Stretch -> Trim -> Joins (pause before, faded edges) -> Limiter (one gain, streams only)

Each step keeps count, so where a line starts and how long it plays is known to the sample. It knows nothing of
engines, formats or who listens. A file takes no gain here; `programme.py` finds it when all was heard.
"""

from dataclasses import dataclass
from typing import Self

from basics.audio import Samples, join, silence
from speech.joins import Joins
from speech.limiter import CEILING_DB, MARGIN_DB, Limiter
from speech.loudness import stream_gain_db
from speech.stretch import Stretch
from speech.trim import Trim


@dataclass(frozen=True, slots=True)
class Span:
    """Where a line is in the programme, in seconds."""

    start: float
    duration: float
    speed: float
    skipped: float
    """Of the line's stretched sound, what was trimmed from its beginning."""

    def at(self, seconds: float) -> float:
        """When something is heard in the programme that was `seconds` into the line as the engine spoke it."""
        return self.start + min(self.duration, max(0.0, seconds / self.speed - self.skipped))


@dataclass(slots=True, eq=False)
class _Line:
    stretch: Stretch
    trim: Trim
    speed: float
    start: int
    """The sample at which its sound begins, after the pause."""

    def feed(self, samples: Samples) -> Samples:
        return self.trim.feed(self.stretch.feed(samples))

    def finish(self) -> Samples:
        return join([self.trim.feed(self.stretch.finish()), self.trim.finish()])


class Mastering:
    """Lines in, one after the other; the programme out. Samples given add up to `position` when finished."""

    def __init__(self, rate: int, level: Limiter | None = None) -> None:
        """`level`: a stream's one gain and its limiter. A file has none here."""
        self._rate, self._level = rate, level
        self._joins = Joins(rate)
        self._line: _Line | None = None
        self._placed = 0

    @classmethod
    def for_stream(cls, rate: int, loudness: float | None, spoken_lufs: float | None) -> Self:
        """`loudness`: what was asked for; None: as it is, but for peaks that would clip. `spoken_lufs`: how loud
        the model speaks this voice, where that was measured."""
        ceiling_db = 0.0 if loudness is None else CEILING_DB - MARGIN_DB
        return cls(rate, Limiter(rate, stream_gain_db(spoken_lufs, loudness), ceiling_db))

    @property
    def position(self) -> float:
        """Seconds of programme laid down so far; the last few milliseconds of them may not have come out yet."""
        return self._placed / self._rate

    def begin(self, pause_seconds: float = 0.0, *, speed: float = 1.0, pitch: float = 0.0) -> None:
        """A line starts. The pause before it comes out with the next samples, as long as asked whatever the speed."""
        if self._line is not None:
            raise RuntimeError("the line before has not ended")
        self._joins.begin(pause_seconds)
        start = self._placed + silence(pause_seconds, self._rate).size
        self._line = _Line(Stretch(self._rate, speed, pitch), Trim(self._rate), speed, start)

    def feed(self, samples: Samples) -> Samples:
        return self._place(self._joins.feed(self._open().feed(samples)))

    def end(self) -> tuple[Samples, Span]:
        """The rest of the line, and where it is in the programme."""
        line, self._line = self._open(), None
        rest = join([self._joins.feed(line.finish()), self._joins.end()])
        given = self._place(rest)
        skipped = line.trim.skipped / self._rate
        return given, Span(line.start / self._rate, (self._placed - line.start) / self._rate, line.speed, skipped)

    def finish(self, pause_seconds: float = 0.0) -> Samples:
        """A pause after the last line, and what the limiter still holds."""
        given = self._place(silence(pause_seconds, self._rate))
        return given if self._level is None else join([given, self._level.finish()])

    def _open(self) -> _Line:
        if self._line is None:
            raise RuntimeError("no line has begun")
        return self._line

    def _place(self, samples: Samples) -> Samples:
        self._placed += samples.size
        return samples if self._level is None else self._level.feed(samples)
