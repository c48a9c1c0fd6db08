"""Eight lines for XTTS v2 that differ in all they can, and ways to have them spoken."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from basics.audio import Samples, join
from models.engine import Deck, Line, Piece
from models.engines.xtts import Xtts, XttsOptions
from voices.voice import Voice

TEXTS = (
    ("Good evening, and welcome.", "en"),
    ("No.", "en"),
    ("The harbour was quiet when the first boats came in, and nobody spoke.", "en"),
    ("Bitte schließen Sie das Fenster!", "de"),
    ("Il est déjà cinq heures ?", "fr"),
    ("Мы будем через минуту.", "ru"),
    ("Yes, of course!", "en"),
    ("Doce cisnes volaron sobre la casa, uno tras otro, y desaparecieron.", "es"),
)
KNOBS: tuple[dict[str, Any], ...] = (
    {"temperature": 0.0},
    {"temperature": 0.0, "repetition_penalty": 1.0},
    {},
    {"temperature": 0.0, "repetition_penalty": 3.0},
    {"temperature": 1.2, "top_k": 0, "top_p": 1.0},
    {"temperature": 0.0},
    {"top_k": 5},
    {"temperature": 0.0, "repetition_penalty": 2.0},
)
SPEEDS = (1.0, 1.0, 1.25, 1.0, 0.8, 1.0, 1.0, 1.7)


def recording(seed: int, seconds: float = 6.0, rate: int = 24_000) -> Voice:
    """Noise that comes and goes as speech does."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32) / 8
    swell = 0.55 + 0.45 * np.sin(np.arange(len(noise)) / rate * (15 + seed))
    return Voice(f"v{seed}", "inline", f"v{seed}", samples=(noise * swell).astype(np.float32), rate=rate)


def preset(id: str = "claribel-dervla") -> Voice:
    return Voice(id, "preset", id, "en")


def line(xtts: Xtts, number: int = 0, id: str = "", **more: Any) -> Line:
    voice = xtts.prepare(recording(number, 2.0 + number) if number % 3 == 1 else preset())
    text, language = TEXTS[number]
    knobs = XttsOptions.model_validate(KNOBS[number])
    given = Line(id or f"line-{number}", text, language, voice, knobs, 100 + number, speed=SPEEDS[number])
    return replace(given, **more)


def run(deck: Deck, sizes: Sequence[int] = (10_000,), turns: int = 10_000) -> list[Piece]:
    """Turn by turn: of the stages that have work the latest, every row of it, in these sizes over and over."""
    pieces: list[Piece] = []
    for turn in range(turns):
        ready = deck.ready()
        if not ready:
            break
        stage = max((work.stage for work in ready), key=deck.stages.index)
        size = sizes[turn % len(sizes)]
        chosen = [work for work in ready if work.stage == stage]
        pieces += deck.run([replace(work, size=max(work.least, min(work.size, size))) for work in chosen])
    return pieces


def sound_of(pieces: Sequence[Piece], id: str) -> Samples:
    assert [piece.error for piece in pieces if piece.line == id and piece.error] == []
    mine = [piece for piece in pieces if piece.line == id]
    assert [piece.last for piece in mine] == [False] * (len(mine) - 1) + [True]
    return join([piece.samples for piece in mine])


def alone(xtts: Xtts, given: Line, sizes: Sequence[int] = (10_000,)) -> Samples:
    deck = xtts.open(1)
    deck.admit(given)
    return sound_of(run(deck, sizes), given.id)


def apart(one: Samples, other: Samples) -> float:
    """The greatest difference; of sounds of other lengths, all there is."""
    return float(np.abs(one - other).max()) if len(one) == len(other) else 2.0
