"""What an engine is: a card that says what it can do, and three verbs.

`load` makes it, `prepare` turns a voice into whatever the network conditions on, `open` gives a deck on
which lines are computed together. An Engine is always loaded; unloading is letting go of it, which is the
manager's business. Engines know no jobs, addresses or formats.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from basics.audio import Samples, as_mono
from basics.errors import Failure
from basics.events import Word
from models.card import Card
from voices.voice import Voice

Conditioning = dict[str, NDArray[np.generic]]
"""A plain dict of arrays, kept as safetensors."""


class Options(BaseModel):
    """A model's own knobs. Each engine names its own; the JSON schema is what `models.get` publishes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One segment, ready to speak."""

    id: str
    text: str
    language: str
    conditioning: Conditioning
    options: Options
    seed: int
    """Seeds this line's own generator: the same alone or in any batch."""
    speed: float = 1.0
    """How fast, where the card says the engine can; 1 otherwise."""
    longest: float = 60.0
    """Seconds of sound after which it is a runaway."""
    before: str = ""
    after: str = ""
    turns: tuple[tuple[str, Conditioning], ...] = ()
    """Of a dialogue spoken as one: text and conditioning of each turn."""
    source: Samples | None = None
    """The sound that `convert` says again, at the card's rate."""
    live: bool = False
    """Whether more text comes through `Deck.feed`, until one piece is the last. `text` may be empty until then."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a line aboard could do now."""

    line: str
    stage: str
    size: int
    """Tokens or frames that could run now. The scheduler may ask for less, never under `least`."""
    seconds: float
    """The sound they would bring."""
    least: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Sound of one line, in order."""

    line: str
    samples: Samples
    """float32 mono at the card's rate."""
    last: bool
    words: tuple[Word, ...] = ()
    error: Failure | None = None
    """Ends this line only."""


class NoRoom(Exception):
    """The deck holds as many lines as it can."""


class Deck(Protocol):
    """The lines aboard, computed together. It computes and decides nothing; all calls come from its one thread."""

    stages: tuple[str, ...]
    room: int
    """Lines it can hold; may shrink after out_of_memory."""

    def admit(self, line: Line) -> None:
        """Take a line aboard. Raises NoRoom, never blocks."""
        ...

    def feed(self, line: str, text: str, last: bool) -> None:
        """More text for a live line aboard, where the card says `live`. Raises a Failure that ends the line: `last`
        with nothing to speak, for one."""
        ...

    def drop(self, line: str) -> None:
        """Let a line go. Idempotent; its place is free at once."""
        ...

    def ready(self) -> Sequence[Work]: ...

    def run(self, work: Sequence[Work]) -> list[Piece]:
        """One stage, exactly these rows; all others keep their state and wait."""
        ...

    def close(self) -> None: ...


class Engine(ABC):
    """Always loaded. A simple engine writes `load`, `prepare` and `speak` and inherits a deck of one place."""

    card: ClassVar[Card]
    Options: ClassVar[type[Options]] = Options

    @classmethod
    @abstractmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        """A working engine, or a Failure. Heavy imports happen in here."""

    @abstractmethod
    def prepare(self, voice: Voice) -> Conditioning:
        """What the network conditions on. Runs beside a running deck and touches no state that it uses."""

    def open(self, room: int) -> Deck:
        return SimpleDeck(self)

    def speak(self, line: Line) -> Iterator[Samples]:
        """Yields the line's sound, piece by piece. Engines with a deck of their own leave it."""
        raise Failure("not_supported", f"{self.card.id} speaks through its deck only.")

    def memory(self) -> float:
        """Gigabytes it holds on the device; the card's claim unless the engine can measure it."""
        return self.card.memory


class SimpleDeck:
    """One place, one stage: each turn takes the next piece from the engine's own iterator."""

    stages: tuple[str, ...] = ("speak",)

    def __init__(self, engine: Engine) -> None:
        self.room = 1
        self._engine = engine
        self._line: Line | None = None
        self._sound: Iterator[Samples] = iter(())

    def admit(self, line: Line) -> None:
        if self._line is not None:
            raise NoRoom
        self._line, self._sound = line, iter(self._engine.speak(line))

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", f"{self._engine.card.id} does not take text piece by piece.")

    def drop(self, line: str) -> None:
        if self._line is not None and self._line.id == line:
            self._line, self._sound = None, iter(())

    def ready(self) -> Sequence[Work]:
        if self._line is None:
            return ()
        size = len(self._line.text)
        return (Work(self._line.id, "speak", size, self._engine.card.seconds(self._line.text), least=size),)

    def run(self, work: Sequence[Work]) -> list[Piece]:
        return [self._step(item.line) for item in work]

    def close(self) -> None:
        self._line, self._sound = None, iter(())

    def _step(self, line: str) -> Piece:
        """A line ends with an empty last piece, since an iterator tells its end only when asked once more."""
        try:
            samples = next(self._sound, None)
        except Failure as error:
            self.drop(line)
            return Piece(line, np.zeros(0, np.float32), last=True, error=error)
        if samples is None or self._engine.card.whole:
            self.drop(line)
        if samples is None:
            return Piece(line, np.zeros(0, np.float32), last=True)
        return Piece(line, as_mono(samples), last=self._engine.card.whole)
