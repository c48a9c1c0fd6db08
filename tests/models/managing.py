"""What tests of the manager share: models that are Tones, with gates in front of their loads, and ways to wait."""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from basics.clock import TurnedClock
from basics.settings import Settings
from models.catalogue import Catalogue
from models.engine import Engine
from models.engines.tone import Score, Tone
from models.groups import Entry
from models.listener import Listener
from models.manager import Manager
from models.resident import Resident
from tests.models.rehearsal import line


class Shelf:
    """Tones by name, with how often each was loaded, and gates in front of loads that a test opens."""

    def __init__(self, **memory: float) -> None:
        self.engines = {name: self._tone(gigabytes) for name, gigabytes in memory.items()}
        self.loads: list[str] = []
        self.alive: list[weakref.ref[Engine]] = []
        self.faults: deque[BaseException] = deque()
        self.gates: dict[str, threading.Event] = {}
        self.reached = threading.Event()

    def catalogue(self, settings: Settings) -> Catalogue:
        return Catalogue(settings, [Entry(name, "embedded", engine) for name, engine in self.engines.items()])

    def load(self, entry: Entry) -> Engine:
        self.loads.append(entry.id)
        self.reached.set()
        if gate := self.gates.get(entry.id):
            assert gate.wait(60)
        if self.faults:
            raise self.faults.popleft()
        engine = self.engines[entry.id]()
        self.alive.append(weakref.ref(engine))
        return engine

    def _tone(self, gigabytes: float) -> type[Tone]:
        return Tone.playing(Score(memory=gigabytes), replace(Tone.card, memory=gigabytes))


async def until(true: Callable[[], bool], clock: TurnedClock | None = None) -> None:
    """Turns the clock, where one is given, as long as it takes."""
    async with asyncio.timeout(60):
        while not true():
            if clock is not None:
                clock.turn(1.0)
            await asyncio.sleep(0.001)


def here(manager: Manager) -> set[str]:
    return {each["model"] for each in manager.residents()}


async def keep(manager: Manager, model: str, until_set: asyncio.Event) -> None:
    async with manager.borrow(model):
        await until_set.wait()


async def says(resident: Resident) -> float:
    async with aclosing(resident.speak(line("a", 1.0), Listener("file"))) as pieces:
        return sum([len(piece.samples) async for piece in pieces]) / resident.card.rate
