"""Products with packed and narrow weights against plain ones in fp32."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

from basics.errors import Failure
from models.runtime.narrow import NARROW, Packed, product, weigh
from tests.models.runtime import talkers

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

OFF = {"": 1e-6, "fp16": 5e-4, "int8": 1e-2}
"""Of the result's size."""
KEPT = [*OFF]


def some(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A processor for which torch has other ways."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "qnnpack"
    yield
    torch.backends.quantized.engine = before


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 17), (16, 1), (1, 100)])
def test_a_product_is_what_torch_makes_of_it(kept: str, shape: tuple[int, int]) -> None:
    weight, bias, x = some(96, 64), some(96, seed=2), some(*shape, 64, seed=3)
    for given in (None, bias):
        made, exact = product(weight, given, kept)(x), F.linear(x, weight, given)
        assert made.shape == exact.shape
        assert made.dtype == torch.float32
        assert float((made - exact).norm() / exact.norm()) < OFF[kept]


@pytest.mark.parametrize("kept", KEPT)
def test_rows_do_not_hear_each_other(kept: str) -> None:
    made, x = product(some(96, 64), kept=kept), some(8, 64, seed=2)
    loud = x.clone()
    loud[1:] *= 1000
    alone = made(x[:1])
    assert torch.allclose(made(x)[:1], alone, rtol=1e-5, atol=1e-5)
    assert torch.allclose(made(loud)[:1], alone, rtol=1e-5, atol=1e-5)


def test_of_int8_only_the_weights_are_rounded_coarsely() -> None:
    weight, x = torch.round(some(96, 64) * 20).clamp(-127, 127), some(4, 64, seed=2)
    weight[:, 0] = 127  # so that int8 holds it as it is
    x[:, 5] *= 100  # as one place of a trained network's may be
    made, exact = product(weight, kept="int8")(x), F.linear(x, weight)
    assert float((made - exact).norm() / exact.norm()) < 1e-3


@pytest.mark.parametrize("kept", KEPT)
def test_nothing_times_anything_is_nothing(kept: str) -> None:
    assert not product(some(96, 64), kept=kept)(torch.zeros(2, 64)).any()
    assert not product(torch.zeros(96, 64), kept=kept)(some(2, 64)).any()


def test_narrow_weights_weigh_what_they_say() -> None:
    exact, half, quarter = (product(some(96, 64), kept=kept).bytes for kept in KEPT)
    assert exact == 4 * 96 * 64
    assert half == exact / 2
    assert quarter < exact / 2.5  # with its scales, of which these few columns make much


def test_what_is_not_fp32_is_multiplied_as_it_is() -> None:
    weight, x = some(96, 64).bfloat16(), some(2, 64).bfloat16()
    made = product(weight)
    assert not isinstance(made, Packed)
    assert torch.equal(made(x), F.linear(x, weight))
    assert weigh(made, (weight, None)) == 2 * weight.nbytes


@pytest.mark.parametrize("kept", NARROW)
def test_a_processor_without_the_means_says_so(kept: str, elsewhere: None) -> None:
    with pytest.raises(Failure, match="use fp32") as error:
        product(some(96, 64), kept=kept)
    assert error.value.code == "misconfigured"


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gpt2"])
@pytest.mark.parametrize("kept", NARROW)
def test_a_network_with_narrow_weights_is_near_the_exact_one(kind: str, kept: str) -> None:
    model, x = talkers.published(kind), some(2, 30, talkers.WIDTH)
    with torch.inference_mode():
        made = []
        for network in (talkers.ours(kind, model), talkers.ours(kind, model, kept=kept)):
            cache = talkers.cache(network, 2)
            made.append(network.forward(x, cache, cache.span(slice(0, 2), torch.arange(30).expand(2, -1), 30))[0])
    exact, narrow = made
    assert 0 < float((exact - narrow).norm() / exact.norm()) < 10 * OFF[kept]
