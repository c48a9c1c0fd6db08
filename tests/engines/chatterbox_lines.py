"""Lines for the three Chatterboxes over tiny weights, and decks run to the end, for their tests."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from basics.audio import Samples, join
from models.engine import Deck, Line, Piece
from models.engines.chatterbox import Chatterbox, ChatterboxMultilingual, ChatterboxTurbo
from tests.engines import tiny_chatterbox
from voices.voice import Voice

TEXTS = (
    "Good evening.",
    "Please close the window before you leave the room!",
    "Yes.",
    "Nobody came to the harbour that evening, and nobody spoke.",
)
KINDS: dict[str, type[Chatterbox]] = {
    "english": Chatterbox,
    "multilingual": ChatterboxMultilingual,
    "turbo": ChatterboxTurbo,
}
FRAMES = 40
"""Tokens after which a tiny line ends, about."""


def loaded(folder: Path) -> Chatterbox:
    with tiny_chatterbox.small():
        return KINDS[folder.name].load(folder, "cpu", "")


def line(engine: Chatterbox, id: str = "a", text: str = TEXTS[1], seed: int = 1, **knobs: Any) -> Line:
    default = engine.prepare(Voice("default", "preset", "default"))
    return Line(id, text, "en", default, engine.Options.model_validate(knobs), seed)


def recording(seed: int, seconds: float = 6.0) -> Voice:
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * 24_000)).astype(np.float32)
    return Voice(f"v{seed}", "inline", f"v{seed}", samples=samples, rate=24_000)


def eight(engine: Chatterbox) -> list[Line]:
    """Lines of all lengths, in two voices, with knobs and seeds of their own; every other one greedy."""
    guided = [{"cfg_weight": weight} for weight in (0.5, 0.0, 0.9)] if engine.card.id != "chatterbox-turbo" else [{}]
    other = engine.prepare(recording(1))
    lines = [
        line(
            engine,
            f"line{number}",
            TEXTS[number % len(TEXTS)],
            seed=number,
            temperature=0.0 if number % 2 else 0.8,
            **guided[number % len(guided)],
        )
        for number in range(8)
    ]
    return [replace(each, conditioning=other) if number % 3 == 0 else each for number, each in enumerate(lines)]


def run(deck: Deck, sizes: Sequence[int] = (10_000,), turns: int = 10_000) -> list[Piece]:
    """Turn by turn: of the stages that have work the latest, every row of it, in these sizes over and over."""
    pieces: list[Piece] = []
    for number in range(turns):
        ready = deck.ready()
        if not ready:
            break
        stage = max((work.stage for work in ready), key=deck.stages.index)
        size = sizes[number % len(sizes)]
        chosen = [work for work in ready if work.stage == stage]
        pieces += deck.run([replace(work, size=max(work.least, min(work.size, size))) for work in chosen])
    return pieces


def sound_of(pieces: list[Piece], id: str = "a") -> Samples:
    assert [piece.error for piece in pieces if piece.line == id and piece.error] == []
    mine = [piece for piece in pieces if piece.line == id]
    assert [piece.last for piece in mine] == [False] * (len(mine) - 1) + [True]
    return join([piece.samples for piece in mine])


def alone(engine: Chatterbox, given: Line, sizes: Sequence[int] = (10_000,)) -> Samples:
    deck = engine.open(1)
    deck.admit(given)
    return sound_of(run(deck, sizes), given.id)


def together(engine: Chatterbox, lines: Sequence[Line]) -> list[Piece]:
    deck = engine.open(len(lines))
    for each in lines:
        deck.admit(each)
    return run(deck)


def alike(one: Samples, other: Samples) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=1e-3))


def with_knobs(given: Line, **knobs: Any) -> Line:
    assert given.options is not None
    return replace(given, options=given.options.model_copy(update=knobs))


def turn(deck: Deck, chance: random.Random) -> list[Piece]:
    """One stage of those that have work, any of its rows, in any size on offer."""
    ready = list(deck.ready())
    if not ready:
        return []
    stage = chance.choice(sorted({work.stage for work in ready}))
    rows = [work for work in ready if work.stage == stage]
    chosen = chance.sample(rows, chance.randint(1, len(rows)))
    return deck.run([replace(work, size=chance.randint(work.least, max(work.least, work.size))) for work in chosen])
