"""A rehearsal: a Tone on a clock that its own work turns, and listeners who note when they went without sound."""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from basics.clock import TurnedClock
from basics.errors import Failure
from models.berths import Berth
from models.engine import Deck, Line, Piece
from models.engines.tone import Cost, Score, Tone, ToneOptions
from models.listener import Kind, Listener
from models.runner import Runner
from models.scheduler import Rules
from tests.models.decks import Faulty

STAGES = ("prefill", "decode", "vocode")
COSTS: Mapping[str, Cost] = {
    "prefill": Cost(start=0.002, step=0.0002),
    "decode": Cost(start=0.0005, step=0.003, row=0.0002),
    "vocode": Cost(start=0.004, step=0.0001, row=0.0001),
}
"""About a fifth of real time for one stream alone; side by side each further one costs a fifteenth of that."""


def line(id: str, seconds: float = 2.0, longest: float = 600.0, **options: object) -> Line:
    """A line that plays about so long."""
    text = ("word " * 1000)[: max(1, round(seconds * Tone.card.pace))]
    return Line(id, text, "en", {"hertz": np.array([440.0])}, ToneOptions(**options), seed=7, longest=longest)


class Ear:
    """Hears one job's lines at once, and plays from the first sound on."""

    def __init__(self, clock: TurnedClock, kind: Kind = "stream", plays: bool = True) -> None:
        self.listener = Listener(kind)
        self.pieces: list[Piece] = []
        self.gap = 0.0
        self.began: float | None = None
        self._clock = clock
        self._plays = plays

    @property
    def unread(self) -> float:
        return 0.0 if self._plays else self.seconds

    @property
    def seconds(self) -> float:
        return sum(len(piece.samples) for piece in self.pieces) / Tone.card.rate

    @property
    def ended(self) -> int:
        return sum(piece.last for piece in self.pieces)

    @property
    def errors(self) -> list[Failure]:
        return [piece.error for piece in self.pieces if piece.error is not None]

    def put(self, piece: Piece) -> None:
        self.pieces.append(piece)
        if len(piece.samples) == 0 or not self._plays:
            return
        now = self._clock.now()
        if self.listener.first is None:
            self.listener.first = self.began = now
        dry = now - self.listener.first - self.listener.given
        if dry > 0:
            self.gap = max(self.gap, dry)
            self.listener.first += dry
        self.listener.given += len(piece.samples) / Tone.card.rate


class Rehearsal:
    """A runner stepped by hand; each turn takes what its score says, on a clock that nothing else turns."""

    def __init__(
        self, score: Score | None = None, rows: int = 8, rules: Rules | None = None, taught: bool = True
    ) -> None:
        self.clock = TurnedClock()
        self.tone = Tone(replace(score or Score(stages=STAGES, costs=COSTS), spend=self.clock.turn))
        self.decks = 0
        self.full = 0
        self.runner = Runner(self._open, self.tone.card, rows, self.clock, rules or Rules(), self._on_full)
        if taught:
            self._teach()

    def speaks(self, ear: Ear, spoken: Line) -> Berth:
        return self.runner.enter(spoken, ear.listener, ear)

    def ear(self, kind: Kind = "stream", plays: bool = True) -> Ear:
        return Ear(self.clock, kind, plays)

    def until_idle(self, most: int = 100_000) -> None:
        for _ in range(most):
            if not self.runner.step():
                return
        raise AssertionError("it never came to rest")

    def _open(self) -> Deck:
        self.decks += 1
        return self.tone.open(self.tone.plays.room)

    def _on_full(self) -> None:
        self.full += 1

    def _teach(self) -> None:
        """As the first word does before a resident is lent."""
        ear = self.ear("file")
        self.speaks(ear, line("first word", 1.0))
        self.until_idle()


class Stage(Rehearsal):
    """A rehearsal whose deck breaks when `breaks` names the call."""

    def __init__(self, score: Score | None = None, rows: int = 8) -> None:
        self.breaks: dict[str, deque[BaseException]] = {"admit": deque(), "run": deque()}
        super().__init__(score, rows)

    def _open(self) -> Deck:
        return Faulty(super()._open(), self._break)

    def _break(self, call: str) -> None:
        if self.breaks[call]:
            raise self.breaks[call].popleft()
