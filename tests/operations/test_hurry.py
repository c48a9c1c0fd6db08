"""Streams of an engine that delivers lines whole, on a device whose speed the test sets, by a clock that it turns."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest

from basics.audio import Samples
from basics.clock import TurnedClock
from basics.settings import Settings
from models.card import Card
from models.catalogue import Catalogue
from models.engine import Conditioning, Engine, Line
from models.engines.tone import Tone
from models.groups import Entry
from operations import house as houses
from operations.house import House
from tests.houses import done
from voices.voice import Voice

TEXT = (
    "By noon the fog had gone, and the old woman who had lived in the white house by the harbour since the end of the "
    "war went down to the quay to look at the boats that came in from the islands. Nobody had ever asked her what she "
    "was waiting for, and nobody in the little town would have dared to, because her temper was as well known as the "
    "lighthouse by the northern pier."
)


@dataclass
class Device:
    clock: TurnedClock = field(default_factory=TurnedClock)
    pace: float = 1.8
    """Seconds of sound a second."""
    once: float = 0.0
    """Seconds more for the first line of all."""
    spoken: list[tuple[str, float, float]] = field(default_factory=list)
    """Each line, how long it plays, and when it was made."""

    @property
    def gaps(self) -> list[float]:
        """How much too late each line came for whoever listens from the first on."""
        found, heard = list[float](), self.spoken[0][2]
        for _, seconds, made in self.spoken:
            found.append(made - heard)
            heard = max(heard, made) + seconds
        return found


class Whole(Engine):
    """A hum as long as the text, all of it at once."""

    card: ClassVar[Card] = replace(Tone.card, id="hum", whole=True, live=False, streams=False, clones=False)
    device: ClassVar[Device]

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        return cls()

    def prepare(self, voice: Voice) -> Conditioning:
        return {"voice": np.zeros(1)}

    def speak(self, line: Line) -> Iterator[Samples]:
        device, seconds = self.device, self.card.seconds(line.text)
        device.clock.turn(seconds / device.pace + device.once)
        device.once = 0.0
        device.spoken.append((line.text, seconds, device.clock.now()))
        yield np.sin(np.arange(round(seconds * self.card.rate)) / 20, dtype=np.float32) / 4


@asynccontextmanager
async def on(device: Device, folder: Path) -> AsyncIterator[House]:
    engine = type("Hum", (Whole,), {"device": device})
    settings = Settings.read({"MODEL": "hum", "AUDIO_OUTPUT_DIR": str(folder), "VOICES": str(folder / "voices")})
    house = houses.open(settings, Catalogue(settings, [Entry("hum", "embedded", engine)]), device.clock)
    try:
        await house.manager.warm("hum")
        device.spoken.clear()
        yield house
    finally:
        await house.close()


async def told(house: House, delivery: str) -> list[str]:
    await done(house, {"text": TEXT, "delivery": delivery, "format": "pcm"})
    return [text for text, _, _ in house_device(house).spoken]


def house_device(house: House) -> Device:
    engine = house.catalogue.find("hum").engine
    assert isinstance(engine, type)
    assert issubclass(engine, Whole)
    return engine.device


@pytest.mark.parametrize("pace", [1.45, 1.8, 3.5])
async def test_a_lone_listener_of_a_slow_device_hears_no_gap(pace: float, tmp_path: Path) -> None:
    device = Device(pace=pace)
    async with on(device, tmp_path) as house:
        spoken = await told(house, "stream")
    assert " ".join(spoken) == TEXT
    assert max(device.gaps) <= 0


async def test_the_first_line_of_all_pays_for_the_start_and_does_not_count(tmp_path: Path) -> None:
    async with on(Device(pace=1.8, once=5.0), tmp_path) as late, on(Device(pace=1.8), tmp_path) as house:
        assert late.manager.pace("hum") == house.manager.pace("hum") == 1.7


async def test_a_fast_device_speaks_the_lines_it_always_spoke(tmp_path: Path) -> None:
    async with on(Device(pace=8.5), tmp_path) as fast, on(Device(pace=300.0), tmp_path) as faster:
        assert await told(fast, "stream") == await told(faster, "stream")
        assert (fast.manager.pace("hum"), faster.manager.pace("hum")) == (None, None)


async def test_a_device_that_can_never_keep_up_cuts_nothing_for_it(tmp_path: Path) -> None:
    async with on(Device(pace=0.9), tmp_path) as slow, on(Device(pace=300.0), tmp_path) as fast:
        assert await told(slow, "stream") == await told(fast, "stream")


async def test_a_file_has_the_same_lines_on_any_device(tmp_path: Path) -> None:
    async with on(Device(pace=1.3), tmp_path) as slow, on(Device(pace=300.0), tmp_path) as fast:
        assert await told(slow, "inline") == await told(fast, "inline")


async def test_a_model_keeps_the_pace_of_its_first_load(tmp_path: Path) -> None:
    device = Device(pace=1.8)
    async with on(device, tmp_path) as house:
        first = await done(house, {"text": TEXT, "delivery": "stream", "dry_run": True})
        device.pace = 5.0
        await told(house, "stream")
        again = await done(house, {"text": TEXT, "delivery": "stream", "dry_run": True})
    assert first.answer["segments"] == again.answer["segments"]


async def test_before_a_model_was_ever_loaded_nobody_knows_how_fast_it_is(tmp_path: Path) -> None:
    engine = type("Hum", (Whole,), {"device": Device(pace=1.8)})
    settings = Settings.read({"MODEL": "hum", "AUDIO_OUTPUT_DIR": str(tmp_path), "VOICES": str(tmp_path)})
    house = houses.open(settings, Catalogue(settings, [Entry("hum", "embedded", engine)]))
    assert house.manager.pace("hum") is None
    await house.close()
