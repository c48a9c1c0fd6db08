"""Tone: a sine as long as the text, one note a voice. Tests and load rehearsals speak with it; no weights.

It keeps every promise of a real deck (several stages, rows that never hear each other, exact seeds, room that
ends) and a `Score` says what it costs, when its load takes long and what goes wrong. Time passes through
`Score.spend` alone: `clock.turn` simulates, `clock.sleep` waits for the test that turns it.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from basics.audio import Samples, join
from basics.errors import Failure
from models.card import Card, Preset
from models.engine import Conditioning, Deck, Engine, Line, NoRoom, Options, Piece, Work
from voices.voice import Voice

NOTES = {"sine": 440.0, "low": 220.0, "high": 880.0}
LOUDNESS = {"sine": -15.8, "low": -16.0, "high": -15.3}
"""LUFS of each at `AMPLITUDE`, measured."""
FRAME = 480
"""Samples a frame: 20 ms, so that fifty frames are a second."""
AMPLITUDE = 0.25
FADE = 120
"""Samples over which a line swells and dies, so that joined lines do not click."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call of a stage takes: `start`, and for each step of its longest row `step` and `row` times the rows."""

    start: float = 0.0
    step: float = 0.0
    row: float = 0.0

    def seconds(self, work: Sequence[Work]) -> float:
        return self.start + max(item.size for item in work) * (self.step + self.row * len(work))


@dataclass(frozen=True, slots=True)
class Score:
    """What a rehearsal plays. The lists of faults are the test's: one is taken and raised at each call."""

    stages: tuple[str, ...] = ("speak",)
    """In order; one called `prefill` reads the text and brings no sound."""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    spend: Callable[[float], None] = time.sleep
    room: int = 8
    least: Mapping[str, int] = field(default_factory=dict)
    """Fewest frames a stage takes while more are to come."""
    load_seconds: float = 0.0
    prepare_seconds: float = 0.0
    memory: float = 0.0
    rows_that_fit: int | None = None
    """A call with more rows raises out_of_memory and changes nothing."""
    load_faults: deque[Failure] = field(default_factory=deque)
    prepare_faults: deque[Failure] = field(default_factory=deque)
    run_faults: deque[Failure] = field(default_factory=deque)


class ToneOptions(Options):
    pitch: float = Field(0.0, ge=-24, le=24, description="Semitones above the voice's own note.")
    fail_after: float | None = Field(None, ge=0, description="Seconds of sound after which the line fails.")
    stall_after: float | None = Field(None, ge=0, description="Seconds of sound after which nothing more comes.")
    endless: bool = Field(False, description="Never comes to an end by itself.")


class Tone(Engine):
    card: ClassVar[Card] = Card(
        "tone",
        "Tone",
        languages=("en", "de", "fr", "ja"),
        rate=24_000,
        licence="Apache-2.0",
        help="A sine as long as the text, for tests and load rehearsals.",
        presets=tuple(Preset(id, id.capitalize(), "en", loudness=LOUDNESS[id]) for id in NOTES),
        crosslingual=True,
        clones=True,
        reference=(0.0, 15.0),
        transcript="unread",
        streams=True,
        whole=False,
        blends=True,
        live=True,
        repeatable="exact",
        revision="1",
        hidden=True,
    )
    Options = ToneOptions
    score: ClassVar[Score] = Score()

    def __init__(self, score: Score | None = None) -> None:
        self.plays = score or self.score

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        _spend(cls.score, cls.score.load_seconds)
        _trip(cls.score.load_faults)
        return cls()

    @classmethod
    def playing(cls, score: Score, card: Card | None = None) -> type["Tone"]:
        """A class for a catalogue's entry, whose `load` gives a Tone that plays this score."""
        return type("Tone", (cls,), {"score": score, "card": card or cls.card})

    def prepare(self, voice: Voice) -> Conditioning:
        _spend(self.plays, self.plays.prepare_seconds)
        _trip(self.plays.prepare_faults)
        return {"hertz": np.array([_hertz(voice)], np.float64)}

    def open(self, room: int) -> Deck:
        return ToneDeck(self.card, self.plays, room)

    def memory(self) -> float:
        return self.plays.memory


class ToneDeck:
    """Rows side by side: each stage may take the frames that the stage before has left."""

    def __init__(self, card: Card, score: Score, room: int) -> None:
        self.stages = score.stages
        self.room = max(1, min(room, score.room))
        self._card = card
        self._score = score
        self._rows: dict[str, _Row] = {}

    def admit(self, line: Line) -> None:
        if not line.text.strip() and not line.turns and not line.live:
            raise Failure("invalid_input", "The line has no text to speak.", field="text")
        if len(self._rows) >= self.room:
            raise NoRoom
        self._rows[line.id] = _Row(line, self._card, self.stages)

    def feed(self, line: str, text: str, last: bool) -> None:
        self._rows[line].feed(text, last)

    def drop(self, line: str) -> None:
        self._rows.pop(line, None)

    def ready(self) -> Sequence[Work]:
        found = (
            row.work(stage, self._score.least.get(stage, 1)) for row in self._rows.values() for stage in self.stages
        )
        return [work for work in found if work is not None]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        """Raises out_of_memory or a fault before any row has moved, so the same work may be asked for again."""
        self._check(work)
        _trip(self._score.run_faults)
        if self._score.rows_that_fit is not None and len(work) > self._score.rows_that_fit:
            raise Failure("out_of_memory", f"{len(work)} rows do not fit; {self._score.rows_that_fit} do.")
        _spend(self._score, self._score.costs.get(work[0].stage, Cost()).seconds(work))
        pieces = [self._rows[item.line].run(item.stage, item.size) for item in work]
        for piece in pieces:
            if piece is not None and piece.last:
                self.drop(piece.line)
        return [piece for piece in pieces if piece is not None]

    def close(self) -> None:
        self._rows.clear()

    def _check(self, work: Sequence[Work]) -> None:
        """A scheduler that asks for what was not offered has a fault of its own, and hears of it."""
        offered = {(item.line, item.stage): item for item in self.ready()}
        if len({item.stage for item in work}) != 1 or len({item.line for item in work}) != len(work):
            raise ValueError("a call runs one stage, and each line once")
        for item in work:
            offer = offered.get((item.line, item.stage))
            if offer is None or not offer.least <= item.size <= offer.size:
                raise ValueError(f"{item} was not offered: {offer}")


class _Row:
    """A line aboard: how many frames each stage has done."""

    def __init__(self, line: Line, card: Card, stages: tuple[str, ...]) -> None:
        options = line.options if isinstance(line.options, ToneOptions) else ToneOptions()
        self._line, self._card, self._options, self._stages = line, card, options, stages
        self._phase = float(np.random.default_rng(line.seed).uniform(0, 2 * np.pi))
        self._done = dict.fromkeys(stages, 0)
        self._measure()

    def feed(self, text: str, last: bool) -> None:
        if not self._line.live:
            raise Failure("not_supported", "The line was not opened for more text.")
        if last and not (self._line.text + text).strip():
            raise Failure("invalid_input", "The line has no text to speak.", field="text")
        self._line = replace(self._line, text=self._line.text + text, live=not last)
        self._measure()

    def _measure(self) -> None:
        """While more text may come, the last frame is held back: only the end dies away."""
        line, longest = self._line, max(1, int(self._line.longest * self._card.rate) // FRAME)
        self._notes = _notes(line, self._card, self._options)
        self._samples = sum(length for length, _ in self._notes)
        self._tokens = len(line.text) if line.live else max(1, len(line.text))
        self._frames = self._samples // FRAME - 1 if line.live else -(-self._samples // FRAME)
        self._runaway = self._options.endless or self._frames > longest
        if self._runaway:
            self._frames = longest

    def work(self, stage: str, least: int) -> Work | None:
        size = self._left(stage)
        if size <= 0 or (size < least and not self._whole_before(stage)) or self._stalled():
            return None
        seconds = 0.0 if stage == "prefill" else size * FRAME / self._card.rate
        return Work(self._line.id, stage, size, seconds, least=min(least, size))

    def run(self, stage: str, size: int) -> Piece | None:
        start = self._done[stage]
        self._done[stage] += size
        if stage != self._stages[-1]:
            return None
        last = self._done[stage] >= self._frames and (self._runaway or not self._line.live)
        error = self._failure(last)
        samples = self._sound(start * FRAME, (start + size) * FRAME)
        return Piece(self._line.id, samples, last=last or error is not None, error=error)

    def _left(self, stage: str) -> int:
        at = self._stages.index(stage)
        if stage == "prefill":
            return self._tokens - self._done[stage]
        if at == 0:
            return self._frames - self._done[stage]
        before = self._stages[at - 1]
        if before == "prefill":
            return self._frames - self._done[stage] if self._done[before] >= self._tokens else 0
        return self._done[before] - self._done[stage]

    def _whole_before(self, stage: str) -> bool:
        at = self._stages.index(stage)
        if self._line.live:
            return False
        return at == 0 or self._stages[at - 1] == "prefill" or self._done[self._stages[at - 1]] >= self._frames

    def _stalled(self) -> bool:
        return self._options.stall_after is not None and self._spoken() >= self._options.stall_after

    def _spoken(self) -> float:
        return self._done[self._stages[-1]] * FRAME / self._card.rate

    def _failure(self, last: bool) -> Failure | None:
        if self._options.fail_after is not None and self._spoken() >= self._options.fail_after:
            return Failure("internal", "The line failed, as it was asked to.")
        if last and self._runaway:
            return Failure("internal", f"The model did not come to an end within {self._line.longest:g} s of sound.")
        return None

    def _sound(self, start: int, end: int) -> Samples:
        """By the sample's own number, so that chunks of any size join to the same sound."""
        if not self._runaway:
            end = min(end, self._samples)
        at = np.arange(start, end)
        parts, first = [], 0
        for length, hertz in self._notes:
            inside = at[(at >= first) & ((at < first + length) | self._runaway)]
            parts.append(np.sin(self._phase + 2 * np.pi * hertz * inside / self._card.rate))
            first += length
        return (join([part.astype(np.float32) for part in parts]) * self._swell(at)).astype(np.float32)

    def _swell(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        rest = np.minimum(at + 1, np.maximum(self._samples - at, FADE if self._runaway else 0))
        return AMPLITUDE * np.minimum(1.0, rest / FADE)


def _notes(line: Line, card: Card, options: ToneOptions) -> list[tuple[int, float]]:
    """Samples and frequency of each turn; a line without turns is one."""
    turns = line.turns or ((line.text, line.conditioning),)
    raised = 2 ** (options.pitch / 12)
    return [
        (max(FRAME, round(card.seconds(text) / line.speed * card.rate)), float(held["hertz"][0].item()) * raised)
        for text, held in turns
    ]


def _hertz(voice: Voice) -> float:
    """A preset's note, the mean of a blend's, or how often a recording crosses zero upwards: a sine clones exactly."""
    if voice.kind == "blend":
        return sum(_hertz(part) * share for part, share in voice.parts)
    if voice.samples is not None:
        if voice.samples.size == 0 or voice.rate <= 0:
            raise Failure("voice_unusable", "The voice has no recording to clone.", field="voice")
        rises = np.flatnonzero((voice.samples[:-1] < 0) & (voice.samples[1:] >= 0))
        spans = float(rises[-1] - rises[0]) if len(rises) > 1 else 0.0
        return float(np.clip((len(rises) - 1) * voice.rate / spans if spans else NOTES["sine"], 50.0, 4000.0))
    if voice.id not in NOTES:
        raise Failure("unknown_voice", f"tone has no voice `{voice.id}`; it has {', '.join(NOTES)}.", field="voice")
    return NOTES[voice.id]


def _spend(score: Score, seconds: float) -> None:
    if seconds > 0:
        score.spend(seconds)


def _trip(faults: deque[Failure]) -> None:
    if faults:
        raise faults.popleft()
