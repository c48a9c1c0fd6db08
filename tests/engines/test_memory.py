"""Memory that runs out: said in the same words by every engine that may use a card, and nothing is lost by it.

Whatever torch is asked for may be what does not fit, so here it is the first, a later or the last large product of a
turn that fails. The runner then halves the rows and asks again (tests/models/test_runner.py).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from basics.audio import Samples, join
from basics.errors import Failure
from models.engine import Deck, Engine, Line, Piece
from models.engines.chatterbox import Chatterbox, ChatterboxTurbo
from models.engines.f5 import F5, F5Options
from models.engines.xtts import Xtts
from models.runner import is_full
from tests.engines import chatterbox_lines, f5_lines, tiny_chatterbox, tiny_f5, tiny_xtts, xtts_lines
from voices.voice import Voice

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

LARGE = {
    "linear",
    "_linear_pointwise",
    "matmul",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "stft",
    "istft",
    "scaled_dot_product_attention",
}
TAKEN = {"from_numpy", "as_tensor", "tensor", "to", "cat", "__getitem__", "embedding", "stack", "view", "__setitem__"}
"""Of which a line that comes aboard needs at least one."""
LOADS: dict[str, tuple[type[Engine], Callable[[Path], Path]]] = {
    "f5": (F5, tiny_f5.make),
    "xtts": (Xtts, lambda place: tiny_xtts.make(place, frames=20)),
    "english": (Chatterbox, lambda place: tiny_chatterbox.make(place, frames=20, kinds=["english"]) / "english"),
    "turbo": (ChatterboxTurbo, lambda place: tiny_chatterbox.make(place, frames=20, kinds=["turbo"]) / "turbo"),
}


class Full(TorchFunctionMode):  # type: ignore[misc,unused-ignore]
    """A device that has memory for so many large products, and then for none."""

    def __init__(self, products: int, names: set[str] | None = None) -> None:
        super().__init__()
        self.left, self.names = products, names or LARGE

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in self.names:
            self.left -= 1
            if self.left < 0:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return func(*args, **(kwargs or {}))


def loading(name: str) -> Any:
    return tiny_chatterbox.small() if name in ("english", "turbo") else nullcontext()


@pytest.fixture(scope="module", params=LOADS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LOADS[kind][1](tmp_path_factory.mktemp("weights") / kind)


@pytest.fixture(scope="module")
def engine(kind: str, folder: Path) -> Engine:
    with loading(kind):
        return LOADS[kind][0].load(folder, "cpu", "")


def two(engine: Engine) -> list[Line]:
    """That differ in length and knobs; Chatterbox's third says a recording again. In one pass each: chunks fall
    differently where a turn is asked for twice."""
    if isinstance(engine, F5):
        return [f5_lines.line(engine, number, options=F5Options(steps=3)) for number in (0, 2)]
    if isinstance(engine, Xtts):
        return [xtts_lines.line(engine, number) for number in (0, 3)]
    assert isinstance(engine, Chatterbox)
    quick = [
        chatterbox_lines.with_knobs(each, one_pass=True, flow_steps=2 + number)
        for number, each in enumerate(chatterbox_lines.eight(engine)[:2])
    ]
    if not engine.card.converts:
        return quick
    source = chatterbox_lines.recording(3, 1.0).samples
    return [
        *quick,
        replace(chatterbox_lines.line(engine, "again", text="", one_pass=True, flow_steps=2), source=source),
    ]


def turn(deck: Deck) -> Any:
    """What is next: of the stages with work the latest, all of its rows, as much as is offered."""
    ready = deck.ready()
    stage = max((work.stage for work in ready), key=deck.stages.index)
    return [work for work in ready if work.stage == stage]


def boarded(engine: Engine, lines: Sequence[Line]) -> Deck:
    deck = engine.open(len(lines))
    for each in lines:
        deck.admit(each)
    return deck


def sounds(pieces: Sequence[Piece], lines: Sequence[Line]) -> list[Samples]:
    assert [piece.error for piece in pieces if piece.error] == []
    assert sorted(piece.line for piece in pieces if piece.last) == sorted(each.id for each in lines)
    return [join([piece.samples for piece in pieces if piece.line == each.id]) for each in lines]


@pytest.mark.parametrize("products", [0, 3, 30])
def test_a_turn_that_does_not_fit_says_so_and_asked_again_brings_what_it_would_have(
    engine: Engine, products: int
) -> None:
    lines = two(engine)
    deck, pieces, failed = boarded(engine, lines), list[Piece](), dict[str, Failure]()
    while deck.ready():
        work = turn(deck)
        try:
            with Full(products):
                pieces += deck.run(work)
        except Failure as error:
            failed[work[0].stage] = error
            pieces += deck.run(work)
    assert set(failed) >= {*deck.stages} - (set() if products < 30 else {"prefill", "vocode"})
    for error in failed.values():
        assert is_full(error)
        assert (error.retryable, error.field) == (True, None)
        assert "CUDA" not in error.message
    deck, plain = boarded(engine, lines), list[Piece]()
    while deck.ready():
        plain += deck.run(turn(deck))
    for mine, theirs in zip(sounds(pieces, lines), sounds(plain, lines), strict=True):
        assert len(mine) == len(theirs)
        assert np.abs(mine - theirs).max() < 1e-3


def test_a_turn_that_does_not_fit_can_be_asked_for_with_fewer_rows(engine: Engine) -> None:
    """As the runner does: half of them first, the others later."""
    lines = two(engine)
    deck, pieces = boarded(engine, lines), list[Piece]()
    while deck.ready():
        work = turn(deck)
        if len(work) > 1:
            with Full(1), pytest.raises(Failure):
                deck.run(work)
            work = work[: len(work) // 2]
        pieces += deck.run(work)
    for mine, line in zip(sounds(pieces, lines), lines, strict=True):
        deck, alone = boarded(engine, [line]), list[Piece]()
        while deck.ready():
            alone += deck.run(turn(deck))
        assert len(mine) == len(sounds(alone, [line])[0])


def test_weights_that_do_not_fit_are_not_called_damaged(kind: str, folder: Path) -> None:
    with loading(kind), Full(0, {"to", "cuda", "istft", "__getitem__"}), pytest.raises(Failure) as error:
        LOADS[kind][0].load(folder, "cpu", "")
    assert (error.value.code, error.value.retryable) == ("out_of_memory", True)


def test_a_recording_that_cannot_be_heard_for_want_of_memory_may_be_sent_again(engine: Engine) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 144_000).astype(np.float32)
    voice = Voice("alice", "library", "a", transcript="Hello, who is there?", samples=noise, rate=24_000)
    if isinstance(engine, F5):
        assert engine.prepare(voice)  # it hears on the processor
        return
    with Full(3), pytest.raises(Failure) as error:
        engine.prepare(voice)
    assert (error.value.code, error.value.retryable) == ("out_of_memory", True)
    assert engine.prepare(voice)


def test_a_line_that_cannot_be_taken_aboard_for_want_of_memory_may_come_later(engine: Engine) -> None:
    lines = two(engine)
    deck = engine.open(len(lines))
    if isinstance(engine, F5):
        return  # its lines come aboard on the processor
    for each in lines:
        with Full(0, TAKEN), pytest.raises(Failure) as error:
            deck.admit(each)
        assert (error.value.code, error.value.retryable) == ("out_of_memory", True)
        deck.drop(each.id)
        deck.admit(each)
    pieces = list[Piece]()
    while deck.ready():
        pieces += deck.run(turn(deck))
    assert all(sound.size for sound in sounds(pieces, lines))
