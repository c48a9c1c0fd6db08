"""History over a ledger, written behind the back of whoever speaks.

One thread writes, renews the hold on accepted jobs, looks for wishes to cancel and sweeps. While the ledger is
away, what was said last of each job waits here, up to a bound; over it the newest are dropped, and counted.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from basics.clock import Clock, SystemClock
from basics.errors import Failure
from store.history.history import Setter
from store.history.holder import myself
from store.history.ledger import Ledger, Refused
from store.history.record import Page, Query, Record, Sound, Work
from store.history.rounds import Rounds

log = logging.getLogger("worker.history")

WAITING = 10_000
"""Records that wait for a ledger that is away."""
BATCH = 200
"""Records written at once."""
LEASE_SECONDS, RENEW_SECONDS = 30.0, 10.0
"""How long an accepted job stays with a process that says nothing, and how often each speaks up."""
WISH_SECONDS = 2.0
SWEEP_SECONDS, FIRST_SWEEP_SECONDS = 3600.0, 60.0
SWEPT = 100
"""Taken away in one turn; the rest waits for the next."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
"""Before a ledger that was away is tried again."""
FRESH_SECONDS = 3.0
"""How long a reader waits for what is being written."""
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How long things are kept."""

    history_seconds: float
    result_seconds: float
    result_bytes: float
    remove: Callable[[Sound], None] = field(default=lambda sound: None)
    """Takes a sound away for good. Raises `storage_failed`."""


class Kept:
    def __init__(
        self,
        make: Callable[[], Ledger],
        rules: Rules,
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
        worker: str = "",
        kind: str = "",
        room: int = WAITING,
        wish_seconds: float = WISH_SECONDS,
    ) -> None:
        self.kind = kind
        self.worker = worker or myself()
        self.durable = True
        self.dropped = 0
        self._make, self._rules, self._room = make, rules, room
        self._clock, self._wall = clock or SystemClock(), wall
        self._change = threading.Condition()
        self._waiting: dict[str, Record] = {}
        self._settled: dict[str, str] = {}
        self._accepted: dict[str, Record] = {}
        self._accepting: set[str] = set()
        """Jobs that the ledger is just taking: what is said of them meanwhile is written after that."""
        self._running: dict[str, Setter] = {}
        self._thread: threading.Thread | None = None
        self._closing = False
        self._busy = False
        self._quiet_until = float("-inf")
        self._pause = FIRST_PAUSE_SECONDS
        self._wish_seconds = wish_seconds
        self._rounds = Rounds(
            self._clock.now(), FIRST_SWEEP_SECONDS, renew=RENEW_SECONDS, wish=wish_seconds, sweep=SWEEP_SECONDS
        )
        self._opening = threading.Lock()
        self._opened: Ledger | None = None

    @property
    def _ledger(self) -> Ledger:
        """Made at its first use, in whichever thread that is: databases take most of a second to import."""
        with self._opening:
            if self._opened is None:
                self._opened = self._make()
            return self._opened

    def began(self, record: Record, cancel: Setter | None = None) -> None:
        with self._change:
            if cancel is not None:
                self._running[record.id] = cancel
            self._put(record)

    def ended(self, record: Record) -> None:
        with self._change:
            self._running.pop(record.id, None)
            self._put(record)

    def accept(self, record: Record, work: Work) -> bool:
        if self._clock.now() < self._quiet_until:
            return False
        with self._change:
            self._accepting.add(record.id)
        try:
            self._ledger.accept(record, work, self.worker, self._wall() + LEASE_SECONDS)
            with self._change:
                if record.id not in self._settled:
                    self._accepted[record.id] = record
        except (Failure, Refused) as error:
            self._missed(error)
            return False
        finally:
            with self._change:
                self._accepting.discard(record.id)
                self._wake()
        return True

    def claim(self, limit: int) -> list[Work]:
        found = self._ledger.claim(self.worker, self._wall() + LEASE_SECONDS, self._wall(), limit)
        known = {work.id: self._ledger.get(work.id) or Record(work.id, created=self._wall()) for work in found}
        with self._change:
            self._accepted |= known
            self._start()
        return found

    def settled(self, id: str, audio: str = "") -> None:
        with self._change:
            if id in self._waiting and not self._waiting[id].audio:
                self._waiting[id] = replace(self._waiting[id], audio=audio)
            self._accepted.pop(id, None)
            if len(self._settled) < self._room and not self._closing:
                self._settled[id] = audio
                self._wake()

    def put_back(self, record: Record) -> None:
        with self._change:
            self._running.pop(record.id, None)
            mine = record.id in self._accepted
            self._put(replace(record, state="pending", started=None, ended=None, code="", message=""))
        self._freshen(CLOSE_SECONDS)
        if mine:
            self._ledger.release([record.id], self.worker)
            with self._change:
                self._accepted.pop(record.id, None)

    def get(self, id: str) -> Record | None:
        with self._change:
            waiting = self._waiting.get(id)
        return waiting or self._ledger.get(id)

    def page(self, query: Query) -> Page:
        self._freshen(FRESH_SECONDS)
        return self._ledger.page(query)

    def wish(self, id: str) -> float | None:
        self._freshen(FRESH_SECONDS)
        self._ledger.wish(id)
        return self._wish_seconds

    def state(self) -> dict[str, Any]:
        with self._change:
            away = self._clock.now() < self._quiet_until
            waiting = len(self._waiting) + len(self._settled)
        return {"kind": self.kind, "away": away, "waiting": waiting, "dropped": self.dropped}

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        lost = len(self._waiting)
        if lost:
            log.warning("history_lost", extra={"records": lost})
        if self._opened is not None:
            self._opened.close()

    def _put(self, record: Record) -> None:
        """Called with the lock held."""
        if self._closing:
            return
        accepted = self._accepted.get(record.id)
        if accepted is not None:
            record = replace(record, created=accepted.created, batch=accepted.batch or record.batch)
        if record.id not in self._waiting and len(self._waiting) >= self._room:
            self._drop(1)
            return
        self._waiting.pop(record.id, None)
        self._waiting[record.id] = record
        self._wake()

    def _drop(self, count: int) -> None:
        self.dropped += count
        if self.dropped == count or self.dropped % 1000 == 0:
            log.warning("history_dropped", extra={"records": self.dropped})

    def _wake(self) -> None:
        self._start()
        self._change.notify_all()

    def _start(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._work, name="history", daemon=True)
            self._thread.start()

    def _freshen(self, seconds: float) -> None:
        """Waits, on everybody's clock, until what was said before is written; not for a ledger that is away."""
        with self._change:
            self._change.wait_for(
                lambda: not (self._waiting or self._settled or self._busy) or self._clock.now() < self._quiet_until,
                seconds,
            )

    def _work(self) -> None:
        while self._wait():
            try:
                self._turn()
                self._pause, self._quiet_until = FIRST_PAUSE_SECONDS, float("-inf")
            except (Failure, Refused) as error:
                self._missed(error)
            except Exception:  # The thread's door: it must outlive whatever a driver raises.
                log.exception("history_broke")
                self._missed(Failure("internal", "see the line before"))
            finally:
                with self._change:
                    self._busy = False
                    self._change.notify_all()

    def _wait(self) -> bool:
        """Until there is something to do. False when all is over."""
        with self._change:
            while True:
                now = self._clock.now()
                quiet = now < self._quiet_until
                ready = any(id not in self._accepting for id in chain(self._waiting, self._settled))
                if self._closing and (quiet or not ready):
                    return False
                due = self._quiet_until if quiet else now if ready else self._rounds.next(self._wanted())
                if now >= due:
                    self._busy = True
                    return True
                self._clock.wait(self._change, due - now)

    def _wanted(self) -> list[str]:
        return ["sweep", *(["renew"] if self._accepted else []), *(["wish"] if self._running else [])]

    def _turn(self) -> None:
        self._write()
        now = self._clock.now()
        if self._rounds.due("renew", now) and (held := list(self._accepted)):
            self._ledger.renew(held, self.worker, self._wall() + LEASE_SECONDS)
        if self._rounds.due("wish", now) and (running := dict(self._running)):
            for id in self._ledger.wished(running):
                running[id].set()
        if self._rounds.due("sweep", now) and self._swept() >= SWEPT:
            self._rounds.hurry("sweep", now)

    def _write(self) -> None:
        with self._change:
            records = [each for each in self._waiting.values() if each.id not in self._accepting][:BATCH]
            settled = [(id, audio) for id, audio in self._settled.items() if id not in self._accepting]
        if records:
            for refused in self._refused(records):
                log.warning("history_refused", extra={"job": refused.id})
                self._drop(1)
            with self._change:
                for record in records:
                    if self._waiting.get(record.id) is record:
                        del self._waiting[record.id]
        for id, audio in settled:
            if id not in self._waiting:
                self._ledger.settle(id, audio)
                with self._change:
                    self._settled.pop(id, None)

    def _refused(self, records: list[Record]) -> Iterator[Record]:
        try:
            self._ledger.write(records)
        except Refused:
            for record in records:
                try:
                    self._ledger.write([record])
                except Refused:
                    yield record

    def _swept(self) -> int:
        rules, now = self._rules, self._wall()
        sounds = self._ledger.stale(now - rules.result_seconds, rules.result_bytes, SWEPT)
        gone = list(self._removed(sounds))
        if gone:
            self._ledger.silenced(gone)
        return max(len(gone), self._ledger.forget(now - rules.history_seconds, SWEPT))

    def _removed(self, sounds: list[Sound]) -> Iterator[str]:
        """Up to the first that cannot be: its place is away, and is tried again in the next round."""
        for sound in sounds:
            try:
                self._rules.remove(sound)
            except Failure as failure:
                log.warning("sound_stays", extra={"job": sound.id, "code": failure.code})
                return
            yield sound.id

    def _missed(self, error: Exception) -> None:
        with self._change:
            self._quiet_until = self._clock.now() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            waiting = len(self._waiting)
            self._change.notify_all()
        code = error.code if isinstance(error, Failure) else type(error).__name__
        log.warning("history_away", extra={"code": code, "waiting": waiting})
