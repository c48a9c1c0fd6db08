"""A whole house for tests, speaking with Tone: everything real but the engine's weights and the machine's paths."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np

from basics.audio import Samples
from basics.events import Audio, Done, Event, Failed
from basics.settings import Settings
from models import own
from models.card import Card
from models.catalogue import Catalogue
from models.engines.tone import Score, Tone
from models.groups import table
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job

T = TypeVar("T", bound=Event)


@asynccontextmanager
async def standing(
    folder: Path, score: Score | None = None, card: Card | None = None, **environment: str
) -> AsyncIterator[House]:
    """Its files go to `folder`; `score` is what Tone plays, `card` another one than its own."""
    given = {"MODEL": "tone", "AUDIO_OUTPUT_DIR": str(folder), "VOICES": str(folder / "voices"), **environment}
    if given.get("MODE") == "http":
        given.setdefault("DATABASE_URL", f"sqlite:///{folder / 'history' / 'history.sqlite'}")
    settings = Settings.read({name: value for name, value in given.items() if value})
    entries = [
        replace(entry, engine=Tone.playing(score or Score(), card)) if entry.id == "tone" and (score or card) else entry
        for entry in table()
    ]
    house = houses.open(settings, Catalogue(settings, entries, own.read(settings)))
    try:
        yield house
    finally:
        await house.close()


async def answered(house: House, input: Any, **job: Any) -> list[Event]:
    return [event async for event in answer(Job("job-1", input, **job), house)]


async def done(house: House, input: Any, **job: Any) -> Done:
    last = (await answered(house, input, **job))[-1]
    assert isinstance(last, Done), last
    return last


async def failed(house: House, input: Any, **job: Any) -> Failed:
    last = (await answered(house, input, **job))[-1]
    assert isinstance(last, Failed), last
    return last


def of(kind: type[T], events: list[Event]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def joined(events: list[Event]) -> bytes:
    return b"".join(event.data for event in of(Audio, events))


def decoded(data: bytes) -> tuple[Samples, int]:
    """Mono samples and their rate."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    rows = [frame.to_ndarray().reshape(-1) for frame in frames]
    sound = np.concatenate(rows)
    scale = 32768 if sound.dtype == np.int16 else 1
    return sound.astype(np.float32) / scale, frames[0].sample_rate


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
