"""The hand of the scheduler: lets lines come and go, runs the turn that was chosen, gives out what it brought.

One thread calls it; others only `enter` and `leave`. It decides nothing about order: `scheduler.py` does, over the
plain picture that `_state` draws.
"""

import itertools
import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from basics.clock import Clock
from basics.errors import Failure
from models.card import Card
from models.costs import Costs
from models.engine import Deck, Line, NoRoom, Piece, Work
from models.listener import Listener
from models.scheduler import Rider, Rules, State, Turn, board, choose, settle

log = logging.getLogger(__name__)

TURNS_LOST = 3
"""Turns that fail one after the other, after which the deck is opened anew."""

HAIR = 0.01
"""Seconds by which a line may pass its limit: sums of chunks are not exact."""


class Runaway(Failure):
    """A line that would not end. Worth one more try with another seed."""

    def __init__(self, longest: float) -> None:
        super().__init__("internal", f"The model did not come to an end within {longest:g} s of sound.", retryable=True)


class Way(Protocol):
    """Where a line's pieces go."""

    @property
    def unread(self) -> float: ...
    def put(self, piece: Piece) -> None: ...


@dataclass(slots=True, eq=False)
class Berth:
    """A line with everything that happens to it here."""

    line: Line
    listener: Listener
    way: Way
    order: int
    seconds: float
    """Of sound, expected."""
    aboard: bool = False
    left: bool = False
    """Nobody reads it any more."""
    made: float = 0.0

    @property
    def rest(self) -> float:
        """Seconds still to come; never nothing, since an estimate may be passed."""
        return max(0.2, self.seconds - self.made)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a resident is doing."""

    waiting: int
    aboard: int
    room: int
    rows: int
    capacity: int | None
    """Real-time listeners it can carry, as learnt."""
    sound_seconds: float
    busy_seconds: float
    turns: int
    failures: int
    turn_began: float | None
    """When the turn that runs now began."""


class Runner:
    """Made on the deck's own thread, which alone may call `step` and `close`."""

    def __init__(
        self, open: Callable[[], Deck], card: Card, rows: int, clock: Clock, rules: Rules, on_full: Callable[[], None]
    ) -> None:
        self._open = open
        self._deck = open()
        self._card = card
        self._rows = rows
        self._clock = clock
        self._rules = rules
        self._on_full = on_full
        self._costs = Costs()
        self._arrivals: deque[Berth] = deque()
        self._berths: dict[str, Berth] = {}
        self._served: dict[Listener, int] = {}
        self._count = itertools.count(1)
        self._owed = 0.0
        self._first = rules.first
        self._lost = 0
        self._sound = self._busy = 0.0
        self._turns = self._failures = 0
        self._began: float | None = None

    def enter(self, line: Line, listener: Listener, way: Way) -> Berth:
        """From any thread: the line waits for its place from now on."""
        texts = [line.text, *(text for text, _ in line.turns)]
        seconds = len(line.source) / self._card.rate if line.source is not None else 0.0
        seconds = seconds or sum(map(self._card.seconds, texts)) / line.speed
        berth = Berth(line, listener, way, next(self._count), seconds)
        self._arrivals.append(berth)
        return berth

    def leave(self, berth: Berth) -> None:
        """From any thread: its place is free at the next step."""
        berth.left = True

    def step(self) -> bool:
        """One turn of the deck. False when nothing can move until a line comes, goes or is read."""
        self._come_and_go()
        for line in board(self._state()):
            self._admit(self._berths[line])
        turn = choose(self._state(self._offers()))
        if turn is None:
            return False
        self._give(turn, *self._run(turn))
        return True

    def reopen(self, error: BaseException) -> None:
        """The deck failed as a whole: whoever is aboard ends, whoever waits goes on with a new one."""
        log.error("deck_reopened model=%s %s", self._card.id, place(error))
        for berth in [berth for berth in self._berths.values() if berth.aboard]:
            berth.aboard = False
            self._fail(berth, _fault())
        self._lost = 0
        self._deck.close()
        self._deck = self._open()

    def close(self, reason: Failure) -> None:
        """Everybody's line ends with `reason`."""
        for berth in [*self._berths.values(), *self._arrivals]:
            berth.aboard = False
            self._end(berth, same(reason))
        self._deck.close()

    @property
    def waits(self) -> bool:
        """Whether a line is without a place."""
        return bool(self._arrivals) or any(not berth.aboard for berth in list(self._berths.values()))

    @property
    def numbers(self) -> Numbers:
        berths = list(self._berths.values())
        aboard = sum(berth.aboard for berth in berths)
        return Numbers(
            waiting=len(berths) - aboard + len(self._arrivals),
            aboard=aboard,
            room=self._deck.room,
            rows=self._rows,
            capacity=self._costs.capacity(min(self._rows, self._deck.room)),
            sound_seconds=self._sound,
            busy_seconds=self._busy,
            turns=self._turns,
            failures=self._failures,
            turn_began=self._began,
        )

    # The picture

    def _offers(self) -> tuple[Work, ...]:
        ready = tuple(self._deck.ready())
        new = {berth.line.id for berth in self._berths.values() if not berth.made}
        first = [work for work in ready if work.stage == self._deck.stages[-1] and work.line in new]
        if first and not self._card.whole:
            self._first = max(work.seconds * work.least / work.size for work in first)
        return ready

    def _state(self, ready: tuple[Work, ...] = ()) -> State:
        return State(
            stages=self._deck.stages,
            riders=self._riders(),
            ready=ready,
            room=self._deck.room,
            rows=self._rows,
            whole=self._card.whole,
            first=self._first,
            owed=self._owed,
            costs=self._costs,
            rules=self._rules,
        )

    def _riders(self) -> tuple[Rider, ...]:
        now = self._clock.now()
        unread: Counter[Listener] = Counter()
        for berth in self._berths.values():
            unread[berth.listener] += berth.way.unread  # type: ignore[assignment]
        due: dict[Listener, float] = {}
        riders = []
        for berth in self._berths.values():
            slack = due.get(berth.listener)
            riders.append(self._rider(berth, slack, unread[berth.listener], now))
            due[berth.listener] = riders[-1].slack + berth.rest
        return tuple(riders)

    def _rider(self, berth: Berth, slack: float | None, unread: float, now: float) -> Rider:
        """`slack` is what the lines before it leave; the first of a listener has the listener's own."""
        listener = berth.listener
        return Rider(
            line=berth.line.id,
            job=id(listener),
            order=berth.order,
            served=self._served[listener],
            aboard=berth.aboard,
            stream=listener.waits,
            started=listener.started,
            leads=slack is None,
            slack=listener.slack(unread, now) if slack is None else slack,
            seconds=berth.rest,
            held=berth.way.unread >= self._rules.ahead,
        )

    # Coming and going

    def _come_and_go(self) -> None:
        for berth in [berth for berth in self._berths.values() if berth.left]:
            self._let_go(berth)
        while self._arrivals:
            berth = self._arrivals.popleft()
            if berth.left:
                continue
            if berth.line.id in self._berths:
                self._fail(berth, Failure("internal", "A line of this name is being spoken already."))
                continue
            self._berths[berth.line.id] = berth
            self._served.setdefault(berth.listener, berth.order)

    def _admit(self, berth: Berth) -> None:
        try:
            self._deck.admit(berth.line)
            berth.aboard = True
        except NoRoom:
            if not any(other.aboard for other in self._berths.values()):
                self._fail(berth, Failure("out_of_memory", f"{self._card.id} has no room for one such line."))
        except Failure as error:
            self._fail(berth, error)
        except Exception as error:  # noqa: BLE001 the door of the deck's thread: a fault ends one line, not all
            log.error("admit_failed model=%s %s", self._card.id, place(error))
            self._fail(berth, _fault())

    def _let_go(self, berth: Berth) -> None:
        if self._berths.get(berth.line.id) is not berth:
            return
        del self._berths[berth.line.id]
        if berth.aboard:
            self._deck.drop(berth.line.id)
        if not any(other.listener is berth.listener for other in self._berths.values()):
            self._served.pop(berth.listener, None)

    def _end(self, berth: Berth, error: Failure) -> None:
        self._let_go(berth)
        berth.way.put(Piece(berth.line.id, np.zeros(0, np.float32), last=True, error=error))

    def _fail(self, berth: Berth, error: Failure) -> None:
        self._failures += 1
        self._end(berth, error)

    # The turn

    def _run(self, turn: Turn) -> tuple[Sequence[Work], list[Piece], float]:
        """What ran, what it brought, and the seconds it took."""
        try:
            return self._timed(turn.work)
        except MemoryError:
            return self._run_fewer(turn)
        except Failure as error:
            if error.code == "out_of_memory":
                return self._run_fewer(turn)
            return self._lose(turn.work, error, error)
        except Exception as error:  # noqa: BLE001 the door of the deck's thread: a fault ends this turn's lines only
            return self._lose(turn.work, error, _fault())

    def _run_fewer(self, turn: Turn) -> tuple[Sequence[Work], list[Piece], float]:
        """Half the rows and half the room from now on, and one more try."""
        self._rows = self._deck.room = max(1, len(turn.work) // 2)
        work = turn.work[: self._rows]
        log.warning("room_shrunk model=%s stage=%s rows=%d", self._card.id, turn.stage, self._rows)
        try:
            return self._timed(work)
        except Exception as error:  # noqa: BLE001 as in `_run`
            full = isinstance(error, MemoryError) or (isinstance(error, Failure) and error.code == "out_of_memory")
            if not full:
                return self._lose(work, error, error if isinstance(error, Failure) else _fault())
            lost = self._lose(work, error, Failure("out_of_memory", "The card's memory is full, even for fewer rows."))
            self._on_full()
            return lost

    def _timed(self, work: Sequence[Work]) -> tuple[Sequence[Work], list[Piece], float]:
        self._began = began = self._clock.now()
        try:
            pieces = self._deck.run(work)
        finally:
            self._began = None
            seconds = self._clock.now() - began
            self._busy += seconds
        self._lost = 0
        return work, pieces, seconds

    def _lose(self, work: Sequence[Work], error: Exception, told: Failure) -> tuple[Sequence[Work], list[Piece], float]:
        log.error("turn_failed model=%s stage=%s rows=%d %s", self._card.id, work[0].stage, len(work), place(error))
        self._lost += 1
        for item in work:
            self._fail(self._berths[item.line], same(told))
        if self._lost >= TURNS_LOST:
            self.reopen(error)
        return (), [], 0.0

    def _give(self, turn: Turn, work: Sequence[Work], pieces: Sequence[Piece], seconds: float) -> None:
        self._account(turn.stage, work, pieces, seconds)
        for piece in pieces:
            if (berth := self._berths.get(piece.line)) is not None:
                self._deliver(berth, piece)

    def _deliver(self, berth: Berth, piece: Piece) -> None:
        sound = len(piece.samples) / self._card.rate
        berth.made += sound
        if berth.made > berth.line.longest + HAIR and piece.error is None:
            log.warning("runaway model=%s seconds=%.1f", self._card.id, berth.made)
            self._fail(berth, Runaway(berth.line.longest))
            return
        berth.listener.made += sound
        self._sound += sound
        if piece.last or piece.error is not None:
            self._failures += piece.error is not None
            self._let_go(berth)
        if not berth.left:
            berth.way.put(piece)

    def _account(self, stage: str, work: Sequence[Work], pieces: Sequence[Piece], seconds: float) -> None:
        """Costs, each listener's share, and what files are owed."""
        if not work:
            return
        self._turns += 1
        berths = [self._berths[item.line] for item in work]
        turn = next(self._count)
        for berth in berths:
            berth.listener.gpu_seconds += seconds / len(work)
            self._served[berth.listener] = turn
        files = sum(not berth.listener.waits for berth in berths)
        self._owed = settle(self._owed, seconds, files, len(work), self._contended(), self._rules.share)
        self._learn(stage, work, pieces, seconds)

    def _contended(self) -> bool:
        """Whether streams and files both want to move."""
        wanting = [berth for berth in self._berths.values() if berth.way.unread < self._rules.ahead]
        return len({berth.listener.waits for berth in wanting}) == 2

    def _learn(self, stage: str, work: Sequence[Work], pieces: Sequence[Piece], seconds: float) -> None:
        """By the sound that came, where the stage gives some: a simple engine offers a line and brings a part."""
        brought = [len(piece.samples) / self._card.rate for piece in pieces if piece.error is None]
        if pieces and not any(brought):
            return
        sound = sum(brought) / len(work) if pieces else sum(item.seconds for item in work) / len(work)
        self._costs.learn(stage, len(work), max(item.size for item in work), seconds, sound)


def place(error: BaseException) -> str:
    """What failed and where, for the log; never the message, which may hold what was to be spoken."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"error={type(error).__name__} at={where}"


def _fault() -> Failure:
    return Failure("internal", "The model failed at this line; the log has the details.")


def same(error: Failure) -> Failure:
    """One for each reader: an exception raised in two places at once mixes their traces."""
    return Failure(error.code, error.message, field=error.field, hint=error.hint, retryable=error.retryable)
