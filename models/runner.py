"""The hand of the scheduler: lets lines come and go, runs the turn that was chosen, gives out what it brought.

Decides nothing about order: `scheduler.py` does. One thread makes it and calls it; others only `enter` and `leave`.
What a deck throws ends lines, never the thread: this is the door where a stranger's exceptions are caught.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from basics.clock import Clock
from basics.errors import Failure
from models.berths import Berth, Berths, Way
from models.boarding import MANY, board, welcomes
from models.card import Card
from models.costs import Costs
from models.engine import Deck, Line, NoRoom, Piece, Work
from models.feed import Feed
from models.listener import Listener
from models.measures import Measures
from models.scheduler import Rules, State, Turn, choose, settle

log = logging.getLogger(__name__)

TURNS_LOST = 3
"""Turns that fail one after the other, after which the deck is opened anew."""
FED_SECONDS = 10.0
"""Of speech that a live line has text for, from which on the rest stays in its feed, so that its writer waits."""
REGROWN_SECONDS = 300.0
"""Without full memory, after which half as much room again is tried, up to what there was at first."""
HAIR = 0.01
"""Seconds by which a line may pass its limit: sums of chunks are not exact."""


class Runaway(Failure):
    """A line that would not end. Worth one more try with another seed."""

    def __init__(self, longest: float) -> None:
        super().__init__("internal", f"The model did not come to an end within {longest:g} s of sound.", retryable=True)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a turn did."""

    work: Sequence[Work] = ()
    pieces: Sequence[Piece] = ()
    seconds: float = 0.0


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
    turn_expected: float
    """Seconds that it was to take, as learnt; 0 where nothing was."""


class Runner:
    def __init__(
        self, open: Callable[[], Deck], card: Card, rows: int, clock: Clock, rules: Rules, on_full: Callable[[], None]
    ) -> None:
        self._open = open
        self._deck = open()
        self._card = card
        self._rows = self._most_rows = rows
        self._most_room = self._deck.room
        self._shrunk = clock.now()
        self._clock = clock
        self._rules = rules
        self._on_full = on_full
        self._costs = Costs()
        self.measures = Measures()
        self._berths = Berths(card)
        self._first = rules.first
        self._owed = 0.0
        self._lost = 0
        self._sound = self._busy = 0.0
        self._turns = self._failures = 0
        self._began: float | None = None
        self._expected = 0.0
        self._welcomes = MANY

    def enter(self, line: Line, listener: Listener, way: Way, feed: Feed | None = None) -> Berth:
        """From any thread: the line waits for its place from now on. A live line has a feed."""
        return self._berths.enter(line, listener, way, feed)

    def leave(self, berth: Berth) -> None:
        """From any thread: its place is free at the next step."""
        berth.left = True

    def step(self) -> bool:
        """One turn of the deck. False when nothing can move until a line comes, goes or is read."""
        self._come_and_go()
        self._regrow()
        for line in board(self._state()) if self.waits else ():
            self._admit(self._berths[line])
        self._hand_on()
        state = self._state(self._offers())
        self._welcomes = welcomes(state)
        turn = choose(state)
        if turn is None:
            return False
        self._give(turn.stage, self._run(turn))
        return True

    def reopen(self, error: BaseException) -> None:
        """The deck failed as a whole: whoever is aboard ends, whoever waits goes on with a new one."""
        log.error("deck_reopened model=%s %s", self._card.id, place(error))
        for berth in self._berths:
            if berth.aboard:
                berth.aboard = False
                self._fail(berth, _fault())
        self._lost = 0
        room = self._deck.room
        self._deck.close()
        self._deck = self._open()
        self._deck.room = min(room, self._deck.room)

    def close(self, reason: Failure) -> None:
        """Everybody's line ends with `reason`."""
        for berth in (*self._berths.settle_in(), *self._berths):
            berth.aboard = False
            self._end(berth, same(reason))
        self._deck.close()

    def abandon(self, reason: Failure) -> None:
        """From any thread, while the deck's own hangs: everybody is told, and what it may still bring is nobody's."""
        for berth in (*self._berths.settle_in(), *self._berths):
            if not berth.left:
                berth.left = True
                berth.way.put(Piece(berth.line.id, np.zeros(0, np.float32), last=True, error=same(reason)))

    @property
    def admits(self) -> bool:
        """From any thread: whether one more stream would be carried now, as of the turn that runs."""
        deserted = all(berth.left for berth in self._berths)
        return self._berths.arriving < (MANY if deserted else self._welcomes)

    @property
    def waits(self) -> bool:
        """Whether a line is without a place."""
        return self._berths.waiting > 0

    @property
    def numbers(self) -> Numbers:
        return Numbers(
            waiting=self._berths.waiting,
            aboard=self._berths.aboard,
            room=self._deck.room,
            rows=self._rows,
            capacity=self._costs.capacity(min(self._rows, self._deck.room)),
            sound_seconds=self._sound,
            busy_seconds=self._busy,
            turns=self._turns,
            failures=self._failures,
            turn_began=self._began,
            turn_expected=self._expected,
        )

    # The picture

    def _state(self, ready: tuple[Work, ...] = ()) -> State:
        return State(
            stages=self._deck.stages,
            riders=self._berths.riders(self._clock.now(), self._rules.ahead),
            ready=ready,
            room=self._deck.room,
            rows=self._rows,
            whole=self._card.whole,
            first=self._first,
            owed=self._owed,
            costs=self._costs,
            rules=self._rules,
        )

    def _offers(self) -> tuple[Work, ...]:
        """What the deck could do; what it offers a new line tells how small a first chunk may be."""
        ready = tuple(self._deck.ready())
        new = {berth.line.id for berth in self._berths if not berth.made}
        first = [work for work in ready if work.stage == self._deck.stages[-1] and work.line in new]
        if first and not self._card.whole:
            self._first = max(work.seconds * work.least / work.size for work in first)
        offered = {work.line for work in ready}
        for berth in self._berths:
            berth.mute = berth.feed is not None and berth.aboard and berth.line.id not in offered
        return ready

    # Coming and going

    def _come_and_go(self) -> None:
        for berth in self._berths:
            if berth.left:
                self._let_go(berth)
        for berth in self._berths.settle_in(self._clock.now()):
            self._fail(berth, Failure("internal", "A line of this name is being spoken already."))

    def _admit(self, berth: Berth) -> None:
        try:
            self._deck.admit(berth.line)
            berth.aboard = True
        except Exception as error:  # noqa: BLE001 the deck's door: it ends this line only
            self._deck.drop(berth.line.id)
            self._turn_away(berth, error)

    def _turn_away(self, berth: Berth, error: Exception) -> None:
        """Who does not fit beside others waits until one of them has gone."""
        if isinstance(error, NoRoom) or is_full(error):
            if not self._berths.aboard:
                self._fail(berth, Failure("out_of_memory", f"{self._card.id} has no room for one such line."))
            elif is_full(error):
                self._shrink(self._rows, self._berths.aboard)
            return
        if not isinstance(error, Failure):
            log.error("admit_failed model=%s %s", self._card.id, place(error))
        self._fail(berth, _seen(error))

    def _hand_on(self) -> None:
        """New text goes to the live lines that will soon need it, or have nothing left to do."""
        live = [berth for berth in self._berths if berth.aboard and berth.feed is not None and berth.feed.waits]
        busy = {work.line for work in self._deck.ready()} if live else set()
        for berth in live:
            if berth.line.id not in busy or berth.seconds - berth.made < FED_SECONDS:
                self._feed(berth)

    def _feed(self, berth: Berth) -> None:
        text, last = berth.feed.take() if berth.feed else ("", True)
        try:
            self._deck.feed(berth.line.id, text, last)
            berth.seconds += self._card.seconds(text) / berth.line.speed
        except Failure as error:
            self._fail(berth, error)
        except Exception as error:  # noqa: BLE001 the deck's door: it ends this line only
            log.error("feed_failed model=%s %s", self._card.id, place(error))
            self._fail(berth, _fault())

    def _let_go(self, berth: Berth) -> None:
        self._berths.remove(berth)
        if berth.aboard:
            berth.aboard = False
            self._deck.drop(berth.line.id)

    def _end(self, berth: Berth, error: Failure) -> None:
        self._let_go(berth)
        berth.way.put(Piece(berth.line.id, np.zeros(0, np.float32), last=True, error=error))

    def _fail(self, berth: Berth, error: Failure) -> None:
        self._failures += 1
        self._end(berth, error)

    # The turn

    def _run(self, turn: Turn) -> Ran:
        try:
            return self._timed(turn.work)
        except Exception as error:  # noqa: BLE001 the deck's door: it ends this turn's lines only
            return self._run_fewer(turn) if is_full(error) else self._lose(turn.work, error, _seen(error))

    def _run_fewer(self, turn: Turn) -> Ran:
        """Half the rows, and half the room for the next minutes, get one more try."""
        rows = max(1, len(turn.work) // 2)
        self._shrink(rows, rows)
        work = turn.work[: self._rows]
        try:
            return self._timed(work)
        except Exception as error:  # noqa: BLE001 as in `_run`
            if not is_full(error):
                return self._lose(work, error, _seen(error))
            lost = self._lose(work, error, Failure("out_of_memory", "The memory is full, even for fewer rows."))
            self._on_full()
            return lost

    def _shrink(self, rows: int, room: int) -> None:
        self._rows, self._deck.room = rows, room
        self._shrunk = self._clock.now()
        log.warning("room_shrunk model=%s rows=%d room=%d", self._card.id, rows, room)

    def _regrow(self) -> None:
        """What was too much once may fit again, when a neighbour on the card has gone or a line was the longest."""
        if self._rows >= self._most_rows and self._deck.room >= self._most_room:
            return
        now = self._clock.now()
        if now - self._shrunk >= REGROWN_SECONDS:
            self._shrunk = now
            self._rows = min(self._most_rows, self._rows + (self._rows + 1) // 2)
            self._deck.room = min(self._most_room, self._deck.room + (self._deck.room + 1) // 2)
            log.info("room_regrown model=%s rows=%d room=%d", self._card.id, self._rows, self._deck.room)

    def _timed(self, work: Sequence[Work]) -> Ran:
        self._expected = self._costs.of(work[0].stage, len(work), max(item.size for item in work))
        self._began = began = self._clock.now()
        try:
            pieces = self._deck.run(work)
        finally:
            self._began = None
            seconds = self._clock.now() - began
            self._busy += seconds
        self._lost = 0
        return Ran(work, pieces, seconds)

    def _lose(self, work: Sequence[Work], error: Exception, told: Failure) -> Ran:
        log.error("turn_failed model=%s stage=%s rows=%d %s", self._card.id, work[0].stage, len(work), place(error))
        self._lost += 1
        for item in work:
            self._fail(self._berths[item.line], same(told))
        if self._lost >= TURNS_LOST:
            self.reopen(error)
        return Ran()

    def _give(self, stage: str, ran: Ran) -> None:
        if ran.work:
            self._account(ran)
            self.measures.ran(stage, len(ran.work), ran.seconds)
            self._learn(stage, ran)
        for piece in ran.pieces:
            if (berth := self._berths.get(piece.line)) is not None:
                self._deliver(berth, piece)

    def _deliver(self, berth: Berth, piece: Piece) -> None:
        sound = len(piece.samples) / self._card.rate
        berth.made += sound
        if berth.made > berth.line.longest + HAIR and piece.error is None:
            log.warning("runaway model=%s seconds=%.1f", self._card.id, berth.made)
            self._fail(berth, Runaway(berth.line.longest))
            return
        # A live listener runs dry when its writer pauses, which is nobody's fault.
        if sound and berth.listener.kind == "stream" and berth.listener.first is not None and not berth.left:
            self.measures.came(berth.listener.slack(berth.way.unread, self._clock.now()))
        berth.listener.made += sound
        self._sound += sound
        if piece.last or piece.error is not None:
            self._failures += piece.error is not None
            self._let_go(berth)
        if not berth.left:
            berth.way.put(piece)

    def _account(self, ran: Ran) -> None:
        """Each listener's share of the turn, and what files are owed."""
        self._turns += 1
        moved = [self._berths[item.line] for item in ran.work]
        for berth in moved:
            berth.listener.gpu_seconds += ran.seconds / len(moved)
        self._berths.serve(moved)
        files = sum(not berth.listener.waits for berth in moved)
        wanting = {berth.listener.waits for berth in self._berths if berth.way.unread < self._rules.ahead}
        self._owed = settle(self._owed, ran.seconds, files, len(moved), len(wanting) == 2, self._rules.share)

    def _learn(self, stage: str, ran: Ran) -> None:
        """By the sound that came, where some did: a simple engine offers its whole line and brings a part."""
        brought = [len(piece.samples) / self._card.rate for piece in ran.pieces if piece.error is None]
        if ran.pieces and not any(brought):
            return
        sound = sum(brought) if ran.pieces else sum(item.seconds for item in ran.work)
        rows = len(ran.work)
        self._costs.learn(stage, rows, max(item.size for item in ran.work), ran.seconds, sound / rows)


def is_full(error: BaseException) -> bool:
    """Whether memory ran out. Adapters say so in our words; numpy and Python in theirs."""
    return isinstance(error, MemoryError) or (isinstance(error, Failure) and error.code == "out_of_memory")


def place(error: BaseException) -> str:
    """What failed and where, for the log; never the message, which may hold what was to be spoken."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"error={error.code if isinstance(error, Failure) else type(error).__name__} at={where}"


def same(error: Failure) -> Failure:
    """One for each reader: an exception raised in two places at once mixes their traces."""
    return Failure(error.code, error.message, field=error.field, hint=error.hint, retryable=error.retryable)


def _seen(error: Exception) -> Failure:
    return error if isinstance(error, Failure) else _fault()


def _fault() -> Failure:
    return Failure("internal", "The model failed at this line; the log has the details.")
