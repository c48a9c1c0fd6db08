"""The house: every room, built once from the settings and passed by argument."""

from collections.abc import Callable
from dataclasses import dataclass, field

from basics.clock import Clock, SystemClock
from basics.settings import Settings
from models.catalogue import Catalogue
from models.manager import Manager
from operations.job import Job
from store.bucket import Bucket
from store.history import History, NullHistory
from store.objects import Objects
from store.place import place
from store.results import NullResults, Results
from voices.conditioning import Conditioning
from voices.library import Library, NoLibrary


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    catalogue: Catalogue
    manager: Manager
    library: Library
    conditioning: Conditioning
    objects: Objects | None
    history: History
    results: Results
    clock: Clock
    warnings: tuple[str, ...] = ()
    """Of the settings: one line each, for the log."""
    running: set[Job] = field(default_factory=set)
    """Jobs being answered now."""

    @property
    def bucket(self) -> Bucket | None:
        """The worker's own, if it has one."""
        return self.objects if isinstance(self.objects, Bucket) else None

    async def close(self) -> None:
        await self.manager.close()


def open(
    settings: Settings,
    catalogue: Catalogue | None = None,
    clock: Clock | None = None,
    on_full: Callable[[], None] | None = None,
) -> House:
    """Raises `misconfigured`. Loads nothing, reaches nobody. `on_full` hears of a card that stays full."""
    clock = clock or SystemClock()
    catalogue = catalogue or Catalogue(settings)
    objects, warning = place(settings)
    return House(
        settings=settings,
        catalogue=catalogue,
        manager=Manager(settings, catalogue, clock, on_full=on_full),
        library=NoLibrary(),
        conditioning=Conditioning(),
        objects=objects,
        history=NullHistory(),
        results=NullResults(),
        clock=clock,
        warnings=(warning,) if warning else (),
    )
