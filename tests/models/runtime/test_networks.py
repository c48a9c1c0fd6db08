"""Our Llama and GPT-2 against transformers' own, over the same weights."""

from typing import Any

import pytest
import torch

from tests.models.runtime import talkers

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

STEPS = 200


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {}),
        ("llama", {"rope_scaling": {**talkers.STRETCH, "rope_theta": 10_000.0}}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("gpt2", {}),
    ],
)
def test_two_hundred_steps_equal_transformers_own(kind: str, more: dict[str, Any]) -> None:
    model = talkers.published(kind, **more)
    network = talkers.ours(kind, model, stretch=bool(more))
    cache = talkers.cache(network, 2, STEPS)
    x = torch.randn(2, STEPS, talkers.WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = model(inputs_embeds=x).last_hidden_state
        prefix = cache.span(slice(0, 2), torch.arange(20).expand(2, -1), 20)
        made = [network.forward(x[:, :20], cache, prefix)[0]]
        for at in range(20, STEPS):
            span = cache.span(slice(0, 2), torch.tensor([[at], [at]]), STEPS)
            made.append(network.forward(x[:, at : at + 1], cache, span)[0])
    assert torch.allclose(torch.cat(made, dim=1), theirs, atol=2e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_watched_heads_hear_what_transformers_own_say(kind: str) -> None:
    model = talkers.published(kind)
    model.set_attn_implementation("eager")
    network = talkers.ours(kind, model)
    cache = talkers.cache(network, 1)
    x = torch.randn(1, 9, talkers.WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = model(inputs_embeds=x, output_attentions=True).attentions
        span = cache.span(torch.tensor([0]), torch.arange(9)[None], 9)
        _, heard = network.forward(x, cache, span, [(1, 3), (2, 0)])
    assert torch.allclose(heard, (theirs[1][:, 3] + theirs[2][:, 0]) / 2, atol=1e-5)
