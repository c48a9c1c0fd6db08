"""The house: every room, built once from the settings and passed by argument."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from basics.clock import Clock, SystemClock
from basics.errors import Failure
from basics.lag import Lag
from basics.settings import Settings
from listening import likeness
from listening.likeness import Likeness
from models.catalogue import Catalogue
from models.manager import Manager
from operations.job import Job
from operations.metrics import Metrics
from operations.recall import Recall
from store.bucket import Bucket
from store.folder import Folder
from store.history.history import History
from store.history.holder import myself
from store.history.place import place as place_of_history
from store.objects import Objects
from store.place import place
from store.results import NullResults, Results
from store.sounds import Sounds
from voices.conditioning import Conditioning
from voices.derived import DerivedFiles
from voices.inline import Inline
from voices.library import Library, Rules
from voices.place import place as place_of_voices
from voices.sources import Shelf
from voices.transcribing import Installed

CLOSE_SECONDS = 8.0
"""For the history to write what waits."""


@dataclass(frozen=True, slots=True)
class House:
    settings: Settings
    catalogue: Catalogue
    manager: Manager
    library: Library
    inline: Inline
    conditioning: Conditioning
    shelves: tuple[Shelf, ...]
    """Where references may be read from in the worker's own bucket."""
    objects: Objects | None
    history: History
    results: Results
    clock: Clock
    sounds: Sounds
    """Where finished jobs' sounds are."""
    worker: str = field(default_factory=myself)
    """This process, as history names it."""
    recall: Recall = field(default_factory=Recall)
    """Asks the history in threads of its own."""
    likeness: Callable[[Settings], Likeness] = likeness.installed
    """Gives what says how like two speakers sound, or the Failure that tells what to install."""
    warnings: tuple[str, ...] = ()
    """Of the settings: one line each, for the log."""
    running: set[Job] = field(default_factory=set)
    """Jobs being answered now."""
    held: dict[str, Callable[[], object]] = field(default_factory=dict)
    """How to cancel jobs that were accepted here, begun or not. Called on the event loop."""
    metrics: Metrics = field(default_factory=Metrics)
    lag: Lag = field(default_factory=Lag)
    """Of the event loop that answers."""

    @property
    def bucket(self) -> Bucket | None:
        """The worker's own, if it has one."""
        return self.objects if isinstance(self.objects, Bucket) else None

    async def close(self) -> None:
        await self.library.close()
        await self.manager.close()
        with contextlib.suppress(Failure):  # what a database that hangs has not taken is lost, and was warned of
            await self.recall.ask_for(CLOSE_SECONDS, self.history.close)


def open(
    settings: Settings,
    catalogue: Catalogue | None = None,
    clock: Clock | None = None,
    on_full: Callable[[], None] = lambda: None,
) -> House:
    """Raises `misconfigured`. Loads nothing, reaches nobody. `on_full` hears of a card that stays full."""
    clock = clock or SystemClock()
    catalogue = catalogue or Catalogue(settings)
    objects, warning = place(settings)
    voices, rules = place_of_voices(settings), Rules.of(settings)
    conditioning = Conditioning(files=DerivedFiles(voices.objects))
    sounds = Sounds(
        objects if isinstance(objects, Bucket) else None,
        Folder(settings.output_dir),
        objects or Folder(settings.history_dir),
    )
    own = (Shelf(objects.config.bucket, objects.config.prefix, objects),) if isinstance(objects, Bucket) else ()
    return House(
        settings=settings,
        catalogue=catalogue,
        manager=Manager(settings, catalogue, clock, on_full=on_full),
        library=Library(voices.objects, rules, clock, conditioning.forget, Installed(settings)),
        inline=Inline(rules.limits, Installed(settings)),
        conditioning=conditioning,
        shelves=(*own, *voices.shelves),
        objects=objects,
        history=place_of_history(settings, objects, sounds, clock),
        results=NullResults(),
        clock=clock,
        sounds=sounds,
        warnings=(warning,) if warning else (),
    )
