"""The guard's rules against upstream's own analyser, over attention made up for the purpose."""

from typing import Any

import pytest
import torch

from models.engines import chatterbox_guard as guard
from models.runtime.cache import Cache
from models.runtime.moment import Moment
from models.runtime.sampler import Sampler

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

WORDS, STOP, FIRST = 12, 11, 10
STEPS = 60


def walk(seed: int, start: int, length: int, pace: float, faint: float) -> list[Any]:
    """Attention that goes through the text at such a pace, lingers at its end and sometimes looks elsewhere."""
    dice = torch.Generator().manual_seed(seed)
    steps = []
    for step in range(STEPS):
        row = torch.rand(start + length + 2 + step, generator=dice) * faint
        here = min(length - 1, int(step * pace))
        if torch.rand(1, generator=dice) < 0.15:
            here = int(torch.randint(0, length, (1,), generator=dice))
        row[start + here] += 0.9
        steps.append(row)
    return steps


def theirs(steps: list[Any], start: int, length: int, tokens: list[int], logits: Any) -> list[Any]:
    from chatterbox.models.t3.inference.alignment_stream_analyzer import (  # type: ignore[import-not-found,unused-ignore]
        AlignmentStreamAnalyzer,
    )

    class Shown(AlignmentStreamAnalyzer):  # type: ignore[misc,unused-ignore]
        def _add_attention_spy(self, *_: Any) -> None:
            """Attention is handed over."""

    shown, found = Shown(None, None, (start, start + length), eos_idx=STOP), []
    whole = torch.zeros(start + length + 2, start + length + 2)
    for step, attention in enumerate([None, *steps]):
        shown.last_aligned_attns = [whole if attention is None else attention[None]] * 3
        found.append(shown.step(logits[step : step + 1].clone(), next_token=tokens[step])[0])
    return found


def ours(steps: list[Any], start: int, length: int, tokens: list[int], logits: Any) -> list[Any]:
    """Beside a row that is somewhere else, and one whose turn it is not."""
    fresh = {**guard.state(), "frame": torch.tensor(0), "last": torch.zeros(1, dtype=torch.long)}
    tensors = {name: each.expand(3, *each.shape).clone() for name, each in fresh.items()}
    tensors["said"] = torch.zeros(3, 200, 1)
    tensors["text_from"], tensors["text_length"] = torch.tensor([2, start, 1]), torch.tensor([9, length, 7])
    cache = Cache(1, 1, 2, 3, 200, "cpu")
    moves = torch.tensor([True, True, False])
    found = []
    for step, attention in enumerate([None, *steps]):
        span = cache.span(slice(0, 3), torch.full((3, 1), start + length + 2 + step), 200)
        heard = None
        if attention is not None:
            heard = torch.rand(3, 1, 200, generator=torch.Generator().manual_seed(step))
            heard[1] = 0
            heard[1, 0, : len(attention)] = attention
        tensors["last"][1] = tokens[step]
        tensors["frame"][:] = step
        every = torch.arange(3)
        moment = Moment(span, tensors, moves, heard, every, every, Sampler(), frozenset())
        given = logits[step].expand(3, -1).clone()
        found.append(guard.guarded(given, moment, STOP, torch.ones(3, dtype=torch.bool))[1])
    assert int(tensors["position"][2]) == 0
    return found


@pytest.mark.parametrize("seed", range(12))
def test_it_lets_a_line_go_on_and_ends_it_just_as_upstreams_analyser_does(seed: int) -> None:
    dice = torch.Generator().manual_seed(100 + seed)
    start, length = 5 + seed % 4, 6 + 3 * (seed % 5)
    steps = walk(seed, start, length, pace=0.3 + 0.15 * (seed % 4), faint=(0.02, 0.3)[seed % 2])
    tokens = [FIRST, *torch.randint(0, 10, (STEPS,), generator=dice).tolist()]
    logits = torch.randn(STEPS + 1, WORDS, generator=dice)
    one, other = (find(steps, start, length, tokens, logits) for find in (theirs, ours))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    kinds = {_kind(a, given) for a, given in zip(other, logits, strict=True)}
    assert {"held", "ended"} <= kinds


def _kind(made: Any, given: Any) -> str:
    if float(made[STOP]) == guard.NEVER:
        return "ended"
    return "left" if torch.equal(made, given) else "held"
