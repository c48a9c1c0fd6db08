"""Who is in memory: loads what is asked for once for many askers, keeps what fits, lets the unused go.

Threads load and unload; event loops only wait. Who leaves is `eviction.py`'s choice, how lines share a resident
the scheduler's. A manager knows no jobs.
"""

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

from basics.clock import Clock, SystemClock
from basics.errors import Failure
from basics.settings import Settings
from models import device
from models.catalogue import Catalogue, card
from models.eviction import Seat, hopeless, idle, next_idle, victims
from models.groups import Entry
from models.holding import Holding, Loading, Stuck, described
from models.loading import ColdStart, Load, Loaded, Loader
from models.measures import Measures
from models.resident import Resident
from models.runner import is_full, place
from models.scheduler import Rules

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds a load waits for room, after which a model that could leave is lent to nobody new: a busy one would
otherwise keep all others out for ever."""
LOOK = 5.0
"""Seconds between looks whether a hung turn has ended after all, while a load waits for its memory."""
IDLE = 60.0
"""Seconds after which an unused model goes, where several are preloaded and `IDLE_UNLOAD` is silent."""


class Manager:
    """`on_full` is called on a deck's or a load's thread when the card stays full, or when a model that hangs keeps
    the memory that another needs; it must not wait for the manager."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        clock: Clock | None = None,
        load: Load | None = None,
        on_full: Callable[[], None] = lambda: None,
        rules: Rules | None = None,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._clock = clock or SystemClock()
        self._on_full = on_full
        self._loader = Loader(settings, self._clock, rules or Rules(), on_full, load)
        self._standby = frozenset(self._named(name) for name in settings.standby)
        self._idle_limit = _idle_limit(settings)
        self._changed = threading.Condition()
        self._holdings: dict[str, Holding] = {}
        self._loadings: dict[str, Loading] = {}
        self._leaving: list[Seat] = []
        """Out of reach and not yet out of memory."""
        self._stuck: list[Stuck] = []
        self._measured: dict[str, float] = {}
        self._threads: set[threading.Thread] = set()
        self._budget: float | None = None
        self._first_start: ColdStart | None = None
        self._closed = False
        if math.isfinite(self._idle_limit):
            self._begin("models-idle", self._tidy)

    @asynccontextmanager
    async def borrow(self, model: str) -> AsyncIterator[Resident]:
        """The resident, loaded if need be; it stays in memory until it is given back."""
        holding = await self._take(self._catalogue.find(model))
        try:
            yield holding.resident
        finally:
            self._give_back(holding)

    def admit(self, model: str) -> None:
        """Raises `busy`, at once, where a new stream would have to wait: for doors that would rather say so.

        A model that is not in memory is loaded for whoever asks. The queue's door does not ask: its jobs wait in line.
        """
        entry = self._catalogue.find(model)
        with self._changed:
            holding = self._holdings.get(entry.id)
            if holding is not None and not holding.resident.broken and not holding.resident.admits:
                raise Failure("busy", f"{entry.id} speaks as many streams as it can carry; try again in a moment.")

    async def warm(self, model: str) -> float:
        """Loads it if need be; the seconds that took."""
        began = self._clock.now()
        async with self.borrow(model):
            return self._clock.now() - began

    async def close(self) -> None:
        """Ends everything: whoever waits for a model or reads from one gets `busy`."""
        await asyncio.to_thread(self._close)

    # How it is

    def residents(self) -> list[dict[str, Any]]:
        """Each model in memory, plain."""
        now = self._clock.now()
        with self._changed:
            return [described(holding, now) for holding in self._holdings.values()]

    def loading(self) -> list[str]:
        """Models on their way."""
        with self._changed:
            return list(self._loadings)

    def capacity(self) -> dict[str, int | None]:
        """Real-time listeners that each resident carries, as learnt."""
        with self._changed:
            return {id: holding.resident.numbers.capacity for id, holding in self._holdings.items()}

    def measures(self) -> dict[str, Measures]:
        """What the turns of each resident came to."""
        with self._changed:
            return {id: holding.resident.measures for id, holding in self._holdings.items()}

    def pace(self, model: str) -> float | None:
        """Seconds of sound that a second makes, coarsely; None where lines come soon enough, or never loaded."""
        return self._loader.paces.get(model)

    def cold_start(self) -> dict[str, float] | None:
        """Of the first model that was loaded."""
        return asdict(self._first_start) if self._first_start else None

    # Borrowing, on an event loop

    async def _take(self, entry: Entry) -> Holding:
        with self._changed:
            if self._closed:
                raise _closing()
            if (holding := self._lendable(entry.id)) is not None:
                self._use(holding, 1)
                return holding
            loading = self._loadings.get(entry.id) or self._ask(entry)
            loading.askers += 1
        try:
            # Shielded: one asker who is cancelled must not cancel the load for the others.
            return await asyncio.shield(asyncio.wrap_future(loading.done))
        except asyncio.CancelledError:
            self._forget(loading)
            raise

    def _lendable(self, id: str) -> Holding | None:
        holding = self._holdings.get(id)
        if holding is None or id in self._loadings or (self._overdue() and not holding.seat.standby):
            return None
        if holding.resident.broken:
            self._begin(f"unload-{id}", self._unload, self._pop([id]))
            return None
        return holding

    def _overdue(self) -> bool:
        now = self._clock.now()
        return any(each.reserved is None and now - each.since >= PATIENCE for each in self._loadings.values())

    def _ask(self, entry: Entry) -> Loading:
        loading = self._loadings[entry.id] = Loading(entry, self._clock.now())
        self._begin(f"load-{entry.id}", self._bring, loading)
        return loading

    def _forget(self, loading: Loading) -> None:
        """An asker was cancelled: before the load ended it asks no more, after it gives back what it never saw."""
        with self._changed:
            loading.askers -= 1
            if loading.holding is not None:
                self._use(loading.holding, -1)
            self._changed.notify_all()

    def _give_back(self, holding: Holding) -> None:
        with self._changed:
            self._use(holding, -1)
            self._changed.notify_all()

    def _use(self, holding: Holding, more: int) -> None:
        holding.seat = replace(holding.seat, uses=holding.seat.uses + more, borrowed=self._clock.now())

    # Loading, each on a thread of its own

    def _bring(self, loading: Loading) -> None:
        try:
            holding = self._held(loading)
        except BaseException as error:  # noqa: BLE001 a thread's door: who asked is told, the next asker tries again
            log.warning("load_failed model=%s %s", loading.entry.id, place(error))
            self._arrived(loading, None)
            loading.done.set_exception(_told(error, loading.entry))
        else:
            self._arrived(loading, holding)
            loading.done.set_result(holding)

    def _arrived(self, loading: Loading, holding: Holding | None) -> None:
        with self._changed:
            del self._loadings[loading.entry.id]
            if holding is not None:
                self._use(holding, loading.askers)
                self._holdings[loading.entry.id] = loading.holding = holding
            self._changed.notify_all()

    def _held(self, loading: Loading) -> Holding:
        if (holding := self._make_room(loading)) is not None:
            return holding
        try:
            loaded = self._loader.loaded(loading.entry, loading.since)
        except (Failure, MemoryError) as error:
            if not is_full(error) or not self._unload_unused():
                raise
            loaded = self._loader.loaded(loading.entry, loading.since)
        return self._kept(loading, loaded)

    def _make_room(self, loading: Loading) -> Holding | None:
        """Waits for it in turn. The model itself, where it has not left after all."""
        with self._changed:
            need, budget = self._need(loading.entry), self._whole_budget()
            while True:
                self._check(loading, need, budget)
                # In turn, so that a large model is not passed by small ones for ever.
                if self._first_waiting() is loading:
                    if (holding := self._holdings.get(loading.entry.id)) is not None:
                        return holding
                    if (ids := victims(self._seats(), need, budget)) is not None:
                        break
                self._clock.wait(self._changed, LOOK if self._stuck else None)
            loading.reserved = need
            gone = self._pop(ids)
            self._changed.notify_all()
        self._unload(gone)
        return None

    def _check(self, loading: Loading, need: float, budget: float) -> None:
        if self._closed:
            raise _closing()
        if loading.askers <= 0:
            raise Failure("cancelled", "Nobody waits for the model any more.")
        if hopeless(self._seats(), need, budget):
            raise _too_large(loading.entry, need, budget)
        if hopeless(self._seats(), need + self._stuck_memory(), budget):
            # No thread can be ended from outside: only the end of the worker frees what it holds.
            log.error("memory_stuck model=%s gigabytes=%.2f", loading.entry.id, self._stuck_memory())
            self._on_full()
            raise Failure("out_of_memory", "A model that hangs keeps the memory that this one needs; try again.")

    def _first_waiting(self) -> Loading:
        return next(each for each in self._loadings.values() if each.reserved is None)

    def _kept(self, loading: Loading, loaded: Loaded) -> Holding:
        """Measured at last: what turns out too large goes again, what turns out larger makes others go."""
        entry, budget = loading.entry, self._whole_budget()
        standby = entry.id in self._standby
        with self._changed:
            closed = self._closed
            self._measured[entry.id] = loading.reserved = loaded.memory
            too_large = hopeless([seat for seat in self._seats() if seat.id != entry.id], loaded.memory, budget)
            gone = self._pop(victims(self._seats(), 0.0, budget) or ())
            self._first_start = self._first_start or loaded.start
        self._unload(gone)
        if closed or too_large:
            loaded.resident.close()
            raise _closing() if closed else _too_large(entry, loaded.memory, budget)
        log.info("model_loaded model=%s gigabytes=%.2f seconds=%.2f", entry.id, loaded.memory, loaded.start.total)
        now = self._clock.now()
        return Holding(loaded.resident, Seat(entry.id, loaded.memory, now, standby=standby), now, loaded.start)

    # Memory

    def _need(self, entry: Entry) -> float:
        """As measured when it was here last, else as its card claims."""
        return self._measured.get(entry.id, card(entry).memory)

    def _whole_budget(self) -> float:
        if self._budget is None:
            self._budget = device.budget(self._settings, device.device(self._settings))
        return self._budget

    def _seats(self) -> list[Seat]:
        """All that takes memory; what comes or goes right now counts as used."""
        now = self._clock.now()
        seats = [holding.seat for holding in self._holdings.values()]
        seats += [replace(seat, uses=1, standby=False) for seat in self._leaving]
        self._stuck = [stuck for stuck in self._stuck if stuck.thread.is_alive()]
        seats += [replace(stuck.seat, uses=1, standby=False) for stuck in self._stuck]
        coming = [each for each in self._loadings.values() if each.reserved is not None]
        return seats + [
            Seat(each.entry.id, each.reserved or 0.0, now, 1, each.entry.id in self._standby) for each in coming
        ]

    def _pop(self, ids: Iterable[str]) -> list[Holding]:
        gone = [self._holdings.pop(id) for id in ids]
        self._leaving += [holding.seat for holding in gone]
        return gone

    def _unload(self, gone: list[Holding]) -> None:
        if not gone:
            return
        seats = [holding.seat for holding in gone]
        while gone:
            self._part_with(gone.pop())
        device.release()
        with self._changed:
            self._leaving = [seat for seat in self._leaving if seat not in seats]
            self._changed.notify_all()

    def _part_with(self, holding: Holding) -> None:
        """Nothing here may keep the engine: its memory goes when the last who knows it does."""
        holding.resident.close()
        if (thread := holding.resident.stuck) is not None:
            with self._changed:
                self._stuck.append(Stuck(holding.seat, thread))
            log.error("model_stuck model=%s gigabytes=%.2f", holding.seat.id, holding.seat.memory)
            return
        log.info("model_unloaded model=%s", holding.seat.id)

    def _stuck_memory(self) -> float:
        return sum(stuck.seat.memory for stuck in self._stuck if stuck.thread.is_alive())

    def _unload_unused(self) -> bool:
        """Whether anybody left."""
        with self._changed:
            gone = self._pop([seat.id for seat in self._seats() if seat.movable])
            found = bool(gone)
        self._unload(gone)
        return found

    def _tidy(self) -> None:
        """Lets go of who was not wanted for long. Sleeps until somebody may be."""
        while True:
            with self._changed:
                if self._closed:
                    return
                seats = [holding.seat for holding in self._holdings.values()]
                gone = self._pop(idle(seats, self._clock.now(), self._idle_limit))
                if not gone:
                    self._clock.wait(self._changed, next_idle(seats, self._clock.now(), self._idle_limit))
            self._unload(gone)

    # Beginning and end

    def _named(self, name: str) -> str:
        try:
            return self._catalogue.find(name).id
        except Failure as error:
            raise Failure("misconfigured", f"STANDBY: {error.message}") from error

    def _begin(self, name: str, work: Callable[..., None], *given: Any) -> None:
        """A thread that `close` waits for."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        thread = threading.Thread(target=work, args=given, name=name, daemon=True)
        thread.start()
        self._threads.add(thread)

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            gone = self._pop(list(self._holdings))
            threads = list(self._threads)
            self._changed.notify_all()
        self._unload(gone)
        for thread in threads:
            thread.join()
        with self._changed:
            late = self._pop(list(self._holdings))
        self._unload(late)


def _idle_limit(settings: Settings) -> float:
    if settings.idle_unload is not None:
        return settings.idle_unload
    return IDLE if len(settings.preload) > 1 else math.inf


def _told(error: BaseException, entry: Entry) -> Exception:
    """What askers see: our own words, or none of a stranger's."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", f"There is not enough memory for {entry.id}.")
    return Failure("internal", f"{entry.id} could not be loaded; the log has the details.")


def _too_large(entry: Entry, need: float, budget: float) -> Failure:
    return Failure(
        "out_of_memory",
        f"{entry.id} needs {need:.1f} GB of a budget of {budget:.1f} GB: raise VRAM_BUDGET_GB, shorten STANDBY or "
        "use a larger card.",
        retryable=False,
    )


def _closing() -> Failure:
    return Failure("busy", "The worker is shutting down; try again.")
