"""The house: every room, built once from the settings and passed by argument."""

from dataclasses import dataclass

from basics.clock import Clock, SystemClock
from basics.settings import Settings
from models.catalogue import Catalogue
from models.manager import Manager
from store.bucket import Bucket, bucket_from_settings
from store.history import History, NullHistory
from store.objects import Objects
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

    async def close(self) -> None:
        await self.manager.close()
