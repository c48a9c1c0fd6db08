"""A model becomes a resident: imports, weights, a deck on its own thread, a first word; and how long each took.

Knows no budget and no askers. Those are the manager's.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from basics.clock import Clock
from basics.settings import Settings
from models import device
from models.catalogue import card, engine_class
from models.engine import Engine
from models.groups import Entry
from models.resident import ROWS, Resident
from models.scheduler import Rules
from models.warming import warm_up
from models.weights import obtain

log = logging.getLogger(__name__)

Load = Callable[[Entry], Engine]


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds until the first word was spoken."""

    imports: float
    """The engine's module. What `load` itself imports counts as weights."""
    weights: float
    warmup: float
    total: float
    """With the wait for room."""


@dataclass(frozen=True, slots=True)
class Loaded:
    resident: Resident
    memory: float
    """Gigabytes, as the engine measures."""
    start: ColdStart


class Loader:
    """`load` stands in for the product's way of making an engine, where a test has its own."""

    def __init__(
        self, settings: Settings, clock: Clock, rules: Rules, on_full: Callable[[], None], load: Load | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._rules = rules
        self._on_full = on_full
        self._load = load or self._from_weights
        self.paces: dict[str, float | None] = {}
        """By model, as its first load measured it: plans stay the same for as long as the worker lives."""

    def loaded(self, entry: Entry, asked: float) -> Loaded:
        """Takes as long as it takes, on the thread that calls. Raises what the engine raises, and keeps nothing."""
        began = self._clock.now()
        engine_class(entry)
        imported = self._clock.now()
        engine = self._load(entry)
        weighed = self._clock.now()
        rows = self._settings.max_batch or ROWS
        resident = Resident(engine, rows, self._clock, self._rules, self._on_full, card(entry))
        try:
            pace = self.paces.setdefault(entry.id, warm_up(resident))
            log.info("model_warmed model=%s pace=%s", entry.id, pace or "any")
            memory = engine.memory()
        except BaseException:
            resident.close()
            raise
        now = self._clock.now()
        return Loaded(resident, memory, ColdStart(imported - began, weighed - imported, now - weighed, now - asked))

    def _from_weights(self, entry: Entry) -> Engine:
        return engine_class(entry).load(
            obtain(entry, self._settings), device.device(self._settings), self._settings.dtype
        )
