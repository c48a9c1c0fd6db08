"""One model on one device: from a cold process, alone, with many listeners, beside upstream, and under caps of memory.

Lines go through a resident and its scheduler, as a worker's do, and each reader takes what comes at once.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from basics.audio import Samples, join, peak
from basics.clock import SystemClock
from basics.errors import Failure
from bench.gpu_rivals import RIVALS
from models.catalogue import card, engine_class
from models.engine import Conditioning, Engine, Line
from models.groups import Entry
from models.listener import Listener
from models.resident import Resident
from models.scheduler import Rules
from voices.voice import Voice

TEXTS = (
    "Good evening, and welcome.",
    "The harbour was quiet when the first boats came in, and nobody spoke.",
    "We will be there in a minute, unless the bridge is closed again.",
    "Twelve swans flew over the house, one after the other, and were gone before anybody looked up.",
)
LONGEST_SECONDS = 30.0
QUIETEST = 0.003
"""Peak, under which a line counts as silent."""


@dataclass(frozen=True, slots=True)
class Asked:
    device: str
    dtype: str
    rows: tuple[int, ...]
    rounds: int
    caps_gb: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """So many listeners at once, the medians of the rounds."""

    rows: int
    first_audio_median: float
    first_audio_p95: float
    audio_seconds_a_second: float
    memory_gb: float | None
    """The most that was held at once; None on a CPU."""


@dataclass(frozen=True, slots=True)
class Figures:
    memory_claimed_gb: float
    weights_gb: float
    together: list[Together]
    upstream_audio_seconds_a_second: float | None
    """Upstream's own code, one line after the other; None where nobody wrote it down."""
    sound: dict[str, float | bool]
    caps: dict[str, bool] = field(default_factory=dict)
    """Whether the most listeners are served within so many gigabytes."""


def cold(entry: Entry, folder: Path, device: str, dtype: str) -> dict[str, float]:
    """Seconds, in a process that has done nothing yet."""
    began = time.perf_counter()
    import torch  # type: ignore[import-not-found,unused-ignore]

    torch_done = time.perf_counter()
    made = engine_class(entry)
    imported = time.perf_counter()
    engine = made.load(folder, device, dtype)
    loaded = time.perf_counter()
    asyncio.run(_spoken(entry, engine, 1))
    if torch.cuda.is_initialized():
        torch.cuda.synchronize(device)
    done = time.perf_counter()
    return {
        "torch": torch_done - began,
        "imports": imported - torch_done,
        "weights": loaded - imported,
        "first_word": done - loaded,
        "total": done - began,
    }


def measured(entry: Entry, folder: Path, asked: Asked) -> Figures:
    engine = engine_class(entry).load(folder, asked.device, asked.dtype)
    sound = checked(join(asyncio.run(_spoken(entry, engine, 1))[0].pieces), engine)
    together = [_together(entry, engine, rows, asked) for rows in asked.rows]
    rival = RIVALS.get(entry.id)
    lines = [_line(engine, number, _voice(engine)) for number in range(len(TEXTS))]
    theirs = rival(folder, asked.device, lines) if rival else None
    caps = {f"{cap:g} GB": _fits(entry, engine, max(asked.rows), cap, asked.device) for cap in asked.caps_gb}
    return Figures(engine.card.memory, engine.memory(), together, theirs, sound, caps if _card(asked.device) else {})


def checked(sound: Samples, engine: Engine) -> dict[str, float | bool]:
    """Raises where it is no sound at all."""
    loudest, seconds = peak(sound), len(sound) / engine.card.rate
    if not np.isfinite(sound).all() or loudest < QUIETEST or seconds < 0.2:
        raise Failure("internal", f"{engine.card.id} gave {seconds:.1f} s with a peak of {loudest:.4f}: no sound.")
    return {"seconds": seconds, "peak": loudest, "clipped": loudest > 1.0}


@dataclass(slots=True)
class _Heard:
    first: float
    pieces: list[Samples]


def _together(entry: Entry, engine: Engine, rows: int, asked: Asked) -> Together:
    firsts: list[float] = []
    paces: list[float] = []
    asyncio.run(_spoken(entry, engine, rows))  # kernels are chosen, and memory is taken, the first time
    _forget(asked.device)
    for _ in range(asked.rounds):
        began = time.perf_counter()
        heard = asyncio.run(_spoken(entry, engine, rows))
        seconds = sum(len(piece) for each in heard for piece in each.pieces) / engine.card.rate
        paces.append(seconds / (time.perf_counter() - began))
        firsts += [each.first for each in heard]
    late = float(np.percentile(firsts, 95))
    return Together(rows, median(firsts), late, median(paces), _held(asked.device))


async def _spoken(entry: Entry, engine: Engine, rows: int) -> list[_Heard]:
    voice = _voice(engine)
    resident = Resident(engine, rows, SystemClock(), Rules(), lambda: None, card(entry))
    try:
        return await asyncio.gather(*(_hear(resident, _line(engine, number, voice)) for number in range(rows)))
    finally:
        resident.close()


async def _hear(resident: Resident, line: Line) -> _Heard:
    began = time.perf_counter()
    heard = _Heard(0.0, [])
    async with contextlib.aclosing(resident.speak(line, Listener("stream"))) as pieces:
        async for piece in pieces:
            if len(piece.samples) and not heard.first:
                heard.first = time.perf_counter() - began
            heard.pieces.append(piece.samples)
    return heard


def _line(engine: Engine, number: int, voice: Conditioning) -> Line:
    text = TEXTS[number % len(TEXTS)]
    return Line(f"line-{number}", text, "en", voice, engine.Options(), 100 + number, longest=LONGEST_SECONDS)


_PREPARED: dict[int, Conditioning] = {}


def _voice(engine: Engine) -> Conditioning:
    """Once an engine: what a library keeps is not derived for each line."""
    preset = engine.card.presets[0]
    if id(engine) not in _PREPARED:
        _PREPARED[id(engine)] = engine.prepare(Voice(preset.id, "preset", preset.id, preset.language))
    return _PREPARED[id(engine)]


def _fits(entry: Entry, engine: Engine, rows: int, cap_gb: float, device: str) -> bool:
    if not _card(device):
        return False
    with _capped(cap_gb, device):
        try:
            asyncio.run(_spoken(entry, engine, rows))
        except Failure as error:
            if error.code != "out_of_memory":
                raise
            return False
    return True


@contextlib.contextmanager
def _capped(cap_gb: float, device: str) -> Iterator[None]:
    import torch

    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, cap_gb * 1e9 / whole), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _forget(device: str) -> None:
    if _card(device):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def _held(device: str) -> float | None:
    if not _card(device):
        return None
    import torch

    return float(torch.cuda.max_memory_allocated(device) / 1e9)


def _card(device: str) -> bool:
    return device.startswith("cuda")
