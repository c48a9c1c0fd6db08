"""Decks that misbehave: one that breaks when it is told to, and one that never comes to an end."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from basics.errors import Failure
from models.engine import Deck, Line, Piece, Work


class Faulty:
    """A deck that works as its Tone does, until `fault` is asked and raises."""

    def __init__(self, deck: Deck, fault: Callable[[str], None]) -> None:
        self._deck = deck
        self._fault = fault
        self.stages = deck.stages

    @property
    def room(self) -> int:
        return self._deck.room

    @room.setter
    def room(self, room: int) -> None:
        self._deck.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deck, name)

    def admit(self, line: Line) -> None:
        self._fault("admit")
        self._deck.admit(line)

    def run(self, work: Sequence[Work]) -> list[Piece]:
        self._fault("run")
        return self._deck.run(work)


class Endless:
    """Half a second of noise each turn, for ever."""

    stages: tuple[str, ...] = ("speak",)

    def __init__(self) -> None:
        self.room = 1
        self._lines: list[str] = []

    def admit(self, line: Line) -> None:
        self._lines.append(line.id)

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", "It takes no text.")

    def drop(self, line: str) -> None:
        self._lines = [each for each in self._lines if each != line]

    def ready(self) -> Sequence[Work]:
        return [Work(each, "speak", 25, 0.5) for each in self._lines]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        return [Piece(each.line, np.zeros(12_000, np.float32), last=False) for each in work]

    def close(self) -> None:
        self._lines.clear()
