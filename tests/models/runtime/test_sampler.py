"""Filters against transformers' own, and draws against their shares."""

import pytest
import torch

from models.runtime.sampler import Knobs, Sampler, numbers, pick

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

WORDS = 300


def logits(rows: int) -> "torch.Tensor":
    return torch.randn(rows, WORDS, generator=torch.Generator().manual_seed(2)) * 3


def filtered(row: "torch.Tensor", knobs: Knobs, order: tuple[str, ...], said: list[int]) -> "torch.Tensor":
    """By transformers' own processors."""
    from transformers import generation as g  # type: ignore[import-not-found,unused-ignore]

    steps = {
        "penalty": [g.RepetitionPenaltyLogitsProcessor(knobs.penalty)],
        "temperature": [g.TemperatureLogitsWarper(knobs.temperature)],
        "nucleus": [g.TopKLogitsWarper(knobs.top_k), g.TopPLogitsWarper(knobs.top_p)],
        "min_p": [g.MinPLogitsWarper(knobs.min_p)],
    }
    ids = torch.tensor([said])
    for step in [step for name in order for step in steps[name]]:
        row = step(ids, row)
    return row


@pytest.mark.parametrize(
    "order",
    [
        ("penalty", "temperature", "nucleus", "min_p"),
        ("penalty", "temperature", "min_p", "nucleus"),
        ("temperature", "nucleus", "penalty"),
    ],
)
def test_filters_in_any_order_leave_what_transformers_own_leave(order: tuple[str, ...]) -> None:
    kinds = [Knobs(0.7, 30, 0.9, 0.02, 1.4), Knobs(1.5, 100, 0.5, 0.2, 2.0), Knobs(1.0, 299, 0.999, 0.001, 0.9)]
    given = logits(len(kinds))
    said = torch.zeros(len(kinds), WORDS, dtype=torch.bool)
    said[:, [3, 17, 200]] = True
    table = torch.tensor([knobs.row for knobs in kinds])
    sample, points = Sampler(order), torch.arange(0.0005, 1, 0.001)
    reached = [set[int]() for _ in kinds]
    for point in points:
        drawn = sample(given, table, point.expand(len(kinds)), said, frozenset(order))
        for row, word in zip(reached, drawn.tolist(), strict=True):
            row.add(word)
    for number, knobs in enumerate(kinds):
        shares = torch.softmax(filtered(given[number : number + 1], knobs, order, [3, 17, 200]), dim=-1)[0]
        assert reached[number] <= set(shares.nonzero()[:, 0].tolist())
        assert {word for word in range(WORDS) if shares[word] > 0.0011} <= reached[number]


def test_words_are_drawn_in_their_shares() -> None:
    shares = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0])
    points = torch.arange(1000) / 1000
    drawn = pick(shares.log().expand(1000, -1), points)
    assert torch.bincount(drawn, minlength=6).tolist() == pytest.approx((shares * 1000).tolist(), abs=1)


def test_the_largest_number_draws_a_word_that_has_a_share() -> None:
    given = logits(400).masked_fill(torch.arange(WORDS) > 250, -torch.inf)
    drawn = pick(given, torch.full((400,), 1 - 2**-24))
    assert drawn.max() <= 250


def test_no_temperature_takes_the_likeliest_after_the_penalty() -> None:
    given, said = torch.tensor([[3.0, 2.5, -1.0]]), torch.tensor([[True, False, False]])
    table = torch.tensor([Knobs(0.0, penalty=2.0).row])
    sample = Sampler()
    filters = Knobs(0.0, penalty=2.0).filters
    assert sample(given, table, torch.tensor([0.9]), said, filters).tolist() == [1]
    assert sample(given, table, torch.tensor([0.9]), None, filters).tolist() == [0]


def test_rows_that_draw_and_rows_that_do_not_go_together() -> None:
    knobs = [Knobs(0.0), Knobs(1.0)]
    given, table = torch.tensor([[1.0, 3.0, 2.0]] * 2), torch.tensor([each.row for each in knobs])
    filters = knobs[0].filters | knobs[1].filters
    assert Sampler()(given, table, torch.tensor([0.999, 0.999]), None, filters).tolist() == [1, 2]
    assert Sampler()(given[1:], table[1:], torch.tensor([0.999]), None, knobs[1].filters).tolist() == [2]


def test_a_seeds_numbers_do_not_depend_on_how_many_are_drawn() -> None:
    assert torch.equal(numbers(7, 100, 2)[:10], numbers(7, 10, 2))
    assert not torch.equal(numbers(7, 10, 1), numbers(8, 10, 1))
    assert float(numbers(1, 10_000, 1).max()) < 1
