"""A resident: an engine in memory with its one thread, and the way for lines to be spoken by it.

`speak` may be called from any event loop; none of them computes. It knows no budget: who stays is the manager's.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial

from basics.clock import Clock, SystemClock
from basics.errors import Failure
from models.berths import Berth
from models.card import Card
from models.engine import Conditioning, Engine, Line, Piece
from models.feed import Feed
from models.listener import Listener
from models.measures import Measures
from models.reader import Reader
from models.runner import Numbers, Runner, place, same
from models.scheduler import Rules
from voices.voice import Voice

log = logging.getLogger(__name__)

ROWS = 16
"""Places and rows of a deck, unless `MAX_BATCH` says otherwise; an engine may hold fewer."""


HUNG_SECONDS, HUNG_TIMES = 30.0, 20.0
"""A turn hangs when it takes so long, and so many times what such turns took before."""
HUNG_UNKNOWN_SECONDS = 300.0
"""Of a turn whose like was never seen: it may compile."""


def _nobody() -> None:
    """Nobody wants to know that the card stays full."""


class Resident:
    """Opens the deck on the thread that will serve it. `broken` says that it cannot speak any more."""

    def __init__(
        self,
        engine: Engine,
        rows: int = ROWS,
        clock: Clock | None = None,
        rules: Rules | None = None,
        on_full: Callable[[], None] = _nobody,
        card: Card | None = None,
    ) -> None:
        """`card` is the catalogue's, where it knows more than the engine: the entry's id and revision."""
        self.engine = engine
        self.card = card or engine.card
        self.broken = False
        self._hung = False
        self._clock = clock or SystemClock()
        self._rules = rules or Rules()
        self._wake = threading.Condition()
        self._news = False
        self._closing: Failure | None = None
        self._preparing = concurrent.futures.ThreadPoolExecutor(1, f"prepare-{self.card.id}")
        opened: concurrent.futures.Future[Runner] = concurrent.futures.Future()
        deck = partial(engine.open, rows)
        make = partial(Runner, deck, self.card, rows, self._clock, self._rules, on_full)
        self._thread = threading.Thread(target=self._serve, args=(make, opened), name=f"deck-{self.card.id}")
        self._thread.daemon = True
        self._thread.start()
        self._runner = opened.result()
        self._watch = threading.Thread(target=self._watch_turns, name=f"watch-{self.card.id}", daemon=True)
        self._watch.start()

    async def speak(self, line: Line, listener: Listener, feed: Feed | None = None) -> AsyncGenerator[Piece, None]:
        """The line's sound as it is made. Closing it, or cancelling whoever reads, frees the place at the next step.

        With a `feed`, where the card says `live`, the line's text goes on with what is put there, until the feed is
        finished; `line.longest` bounds all of it.
        """
        reader, berth = Reader(self.card.rate, self._notify), None
        try:
            berth = self._enter(line, listener, reader, feed)
            while True:
                piece = await reader.take()
                if piece.error is not None:
                    raise piece.error
                yield piece
                if piece.last:
                    return
        finally:
            if feed is not None:
                feed.end()
            if berth is not None:
                self._runner.leave(berth)
                self._notify()

    def _enter(self, line: Line, listener: Listener, reader: Reader, feed: Feed | None) -> Berth:
        if feed is not None and not self.card.live:
            raise Failure("not_supported", f"{self.card.id} does not take text piece by piece.")
        with self._wake:
            if self._closing is not None:
                raise same(self._closing)
            berth = self._runner.enter(replace(line, live=feed is not None), listener, reader, feed)
        if feed is not None:
            feed.bind(self._notify)
        self._notify()
        return berth

    async def prepare(self, voice: Voice) -> Conditioning:
        """In a thread of its own, one at a time, beside the running deck."""
        try:
            future = self._preparing.submit(self.engine.prepare, voice)
        except RuntimeError:
            raise _gone() from None
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if future.cancelled() and self._closing is not None:
                raise same(self._closing) from None
            raise

    @property
    def numbers(self) -> Numbers:
        return self._runner.numbers

    @property
    def admits(self) -> bool:
        """Whether one more stream would be carried now, rather than wait."""
        return self._runner.admits

    @property
    def measures(self) -> Measures:
        return self._runner.measures

    def close(self) -> None:
        """Ends every reader with `busy` and returns when the threads are gone. Never call it on the deck's thread."""
        self._shut(_gone())
        self._watch.join()
        if not self._hung:
            self._thread.join()
        self._preparing.shutdown(wait=not self._hung, cancel_futures=True)

    def _shut(self, reason: Failure) -> None:
        with self._wake:
            self._closing = self._closing or reason
            self._wake.notify_all()

    def _notify(self) -> None:
        with self._wake:
            self._news = True
            self._wake.notify_all()

    # The watchdog's thread

    def _watch_turns(self) -> None:
        """A thread cannot be ended from outside: its lines are, and the resident with them."""
        with self._wake:
            while self._closing is None:
                if self._hangs():
                    break
                self._clock.wait(self._wake, self._rules.look)
            else:
                return
            log.error("turn_hung model=%s", self.card.id)
            self._hung = self.broken = True
        reason = Failure("internal", f"{self.card.id} hung and is being replaced; try again.", retryable=True)
        self._shut(reason)
        self._runner.abandon(reason)

    def _hangs(self) -> bool:
        numbers = self._runner.numbers
        if (began := numbers.turn_began) is None:
            return False
        expected = numbers.turn_expected
        limit = max(HUNG_SECONDS, HUNG_TIMES * expected) if expected else HUNG_UNKNOWN_SECONDS
        return self._clock.now() - began > limit

    # The deck's thread

    def _serve(self, make: Callable[[], Runner], opened: "concurrent.futures.Future[Runner]") -> None:
        try:
            runner = make()
        except BaseException as error:  # noqa: BLE001 whoever waits for the resident is told
            opened.set_exception(error)
            return
        opened.set_result(runner)
        while self._closing is None:
            self._step(runner)
        try:
            runner.close(self._closing)
        except Exception as error:  # noqa: BLE001 as in `_step`; every reader has been told by now
            log.error("close_failed model=%s %s", self.card.id, place(error))

    def _step(self, runner: Runner) -> None:
        try:
            moved = runner.step()
        except Exception as error:  # noqa: BLE001 the deck's thread outlives what its deck does
            self._mend(runner, error)
            return
        if not moved:
            self._sleep(runner)

    def _mend(self, runner: Runner, error: Exception) -> None:
        try:
            runner.reopen(error)
        except Exception as again:  # noqa: BLE001 a deck that cannot be opened ends the resident, not the worker
            log.error("resident_broken model=%s %s", self.card.id, place(again))
            self.broken = True
            self._shut(Failure("internal", f"{self.card.id} failed and could not be opened again."))

    def _sleep(self, runner: Runner) -> None:
        """Until a line comes, goes or is read; or for a look around while somebody waits for a place."""
        with self._wake:
            while not self._news and self._closing is None:
                if not self._clock.wait(self._wake, self._rules.look if runner.waits else None):
                    break
            self._news = False


def _gone() -> Failure:
    return Failure("busy", "The model is being unloaded; try again.")
