"""Berths: the lines that are here, who they speak for, and the plain picture of them that the scheduler chooses by.

Lines arrive and leave from any thread; all else belongs to the deck's.
"""

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from models.card import Card
from models.engine import Line, Piece
from models.feed import Feed
from models.listener import Listener
from models.scheduler import Rider


class Way(Protocol):
    """Where a line's pieces go."""

    @property
    def unread(self) -> float:
        """Seconds of sound that lie there."""
        ...

    def put(self, piece: Piece) -> None: ...


@dataclass(slots=True, eq=False)
class Berth:
    """A line and what becomes of it here."""

    line: Line
    listener: Listener
    way: Way
    order: int
    seconds: float
    """Of sound, expected."""
    feed: Feed | None = None
    """Where a live line's text comes from."""
    came: float = 0.0
    """When it was first seen here."""
    aboard: bool = False
    left: bool = False
    """Nobody reads it any more."""
    made: float = 0.0
    mute: bool = False
    """Aboard, and out of text until more is fed."""

    @property
    def speechless(self) -> bool:
        """Whether it waits for its text rather than for the deck."""
        if self.feed is None or self.feed.waits:
            return False
        return self.mute if self.aboard else not self.line.text.strip()

    @property
    def rest(self) -> float:
        """Seconds still to come; never nothing, since an estimate may be passed."""
        return max(0.2, self.seconds - self.made)


class Berths:
    def __init__(self, card: Card) -> None:
        self._card = card
        self._arrivals: deque[Berth] = deque()
        self._here: dict[str, Berth] = {}
        self._ended: list[Berth] = []
        """Of streams, whose sound may still lie unread."""
        self._served: dict[Listener, int] = {}
        self._count = itertools.count(1)

    def __iter__(self) -> Iterator[Berth]:
        """In order of arrival; over a copy, so that anybody may look."""
        return iter(list(self._here.values()))

    def __getitem__(self, line: str) -> Berth:
        return self._here[line]

    def get(self, line: str) -> Berth | None:
        return self._here.get(line)

    def enter(self, line: Line, listener: Listener, way: Way, feed: Feed | None = None) -> Berth:
        """From any thread: the line is seen at the next step."""
        berth = Berth(line, listener, way, next(self._count), _expected(line, self._card), feed)
        self._arrivals.append(berth)
        return berth

    def settle_in(self, now: float = 0.0) -> list[Berth]:
        """Lets in who arrived by `now`; those whose name is taken are returned."""
        doubles = []
        while self._arrivals:
            berth = self._arrivals.popleft()
            if berth.line.id in self._here:
                doubles.append(berth)
            elif not berth.left:
                berth.came = now
                self._here[berth.line.id] = berth
                self._served.setdefault(berth.listener, berth.order)
        return doubles

    def remove(self, berth: Berth) -> None:
        """Idempotent."""
        if self._here.get(berth.line.id) is not berth:
            return
        del self._here[berth.line.id]
        if berth.listener.waits:
            self._ended.append(berth)
        if all(other.listener is not berth.listener for other in self):
            self._served.pop(berth.listener, None)

    def serve(self, moved: list[Berth]) -> None:
        """Their listeners had a turn: others of their kind come first now."""
        turn = next(self._count)
        for berth in moved:
            self._served[berth.listener] = turn

    @property
    def arriving(self) -> int:
        """Lines that nobody has seen yet."""
        return len(self._arrivals)

    @property
    def waiting(self) -> int:
        return len(self._arrivals) + sum(not berth.aboard for berth in self)

    @property
    def aboard(self) -> int:
        return sum(berth.aboard for berth in self)

    def riders(self, now: float, ahead: float) -> tuple[Rider, ...]:
        """As the scheduler sees them; a line with `ahead` seconds unread is held."""
        self._ended = [berth for berth in self._ended if berth.way.unread > 0 and not berth.left]
        unread: defaultdict[Listener, float] = defaultdict(float)
        for berth in (*self._here.values(), *self._ended):
            unread[berth.listener] += berth.way.unread
        due: dict[Listener, float] = {}
        riders = []
        for berth in self._here.values():
            leads = berth.listener not in due
            slack = berth.listener.slack(unread[berth.listener], now) if leads else due[berth.listener]
            riders.append(self._rider(berth, leads, slack, now - berth.came, ahead))
            due[berth.listener] = slack + berth.rest
        return tuple(riders)

    def _rider(self, berth: Berth, leads: bool, slack: float, waited: float, ahead: float) -> Rider:
        return Rider(
            line=berth.line.id,
            job=id(berth.listener),
            order=berth.order,
            served=self._served[berth.listener],
            aboard=berth.aboard,
            stream=berth.listener.waits,
            started=berth.listener.started,
            leads=leads,
            slack=slack,
            seconds=berth.rest,
            rest=max(berth.rest, berth.listener.expected - berth.listener.made),
            waited=waited,
            held=berth.way.unread >= ahead,
            mute=berth.speechless,
        )


def _expected(line: Line, card: Card) -> float:
    """About how long it will play."""
    if line.source is not None:
        return len(line.source) / card.rate
    return sum(card.seconds(text) for text in (line.text, *(text for text, _ in line.turns))) / line.speed
