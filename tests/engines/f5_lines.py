"""Eight lines for F5-TTS that differ in all they can, and ways to have them spoken."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from basics.audio import Samples
from models.engine import Deck, Line, Piece
from models.engines.f5 import F5, RATE, F5Options
from voices.voice import Voice

WORDS = "Close the window before you leave"
TEXTS = (
    "Good evening, and welcome.",
    "No.",
    "The harbour was quiet when the first boats came in, and nobody spoke.",
    "你好，世界。",
    "Is it five already?",
    "We will be there in a minute, unless the bridge is closed again.",
    "Yes, of course!",
    "Twelve swans flew over the house, one after the other, and were gone.",
)
KNOBS: tuple[dict[str, Any], ...] = (
    {"steps": 8},
    {"steps": 7},
    {"steps": 6, "guidance": 0.0},
    {"steps": 8, "sway": None},
    {"steps": 5, "guidance": 1.5},
    {"steps": 10, "pruned": False},
    {"steps": 4},
    {"steps": 7, "guidance": 0.0, "sway": 0.3},
)


def recording(seed: int, seconds: float = 2.0, rate: int = RATE) -> Voice:
    """Noise that comes and goes as speech does."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32) / 8
    swell = 0.55 + 0.45 * np.sin(np.arange(len(noise)) / rate * (15 + seed))
    samples = (noise * swell).astype(np.float32)
    return Voice(f"v{seed}", "library", f"v{seed}", transcript=WORDS, samples=samples, rate=rate)


def line(f5: F5, number: int = 0, id: str = "", **more: Any) -> Line:
    voice = f5.prepare(recording(number, 1.5 + number / 4))
    knobs = F5Options.model_validate(KNOBS[number])
    return replace(Line(id or f"line-{number}", TEXTS[number], "en", voice, knobs, 100 + number), **more)


def step(deck: Deck, size: int = 1000, only: Sequence[str] = ()) -> list[Piece]:
    """One turn of whichever stage is first ready."""
    ready = [work for work in deck.ready() if not only or work.line in only]
    stage = ready[0].stage
    chosen = [work for work in ready if work.stage == stage]
    return deck.run([replace(work, size=max(work.least, min(size, work.size))) for work in chosen])


def alone(f5: F5, given: Line) -> Samples:
    deck = f5.open(1)
    deck.admit(given)
    return finish(deck)[given.id]


def finish(deck: Deck, size: int = 1000) -> dict[str, Samples]:
    said: dict[str, Samples] = {}
    while deck.ready():
        for piece in step(deck, size):
            assert piece.error is None
            assert piece.last
            said[piece.line] = piece.samples
    return said
