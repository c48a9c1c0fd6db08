"""Where models compute, on a machine as it is: with a card or without."""

from importlib.util import find_spec

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models.device import DRIVERS, budget, device, release


def test_auto_is_the_card_where_torch_and_a_driver_are_and_the_cpu_elsewhere() -> None:
    has_card = find_spec("torch") is not None and any(driver.exists() for driver in DRIVERS)
    assert device(Settings(device="auto", gpu_device_id=1)) == ("cuda:1" if has_card else "cpu")


@pytest.mark.parametrize(("asked", "given"), [("cpu", "cpu"), ("cuda", "cuda:2"), ("cuda:1", "cuda:1"), ("CPU", "cpu")])
def test_a_named_device_is_taken_as_it_is(asked: str, given: str) -> None:
    assert device(Settings(device=asked, gpu_device_id=2)) == given


def test_another_device_is_refused() -> None:
    with pytest.raises(Failure, match="DEVICE") as told:
        device(Settings(device="abacus"))
    assert told.value.code == "misconfigured"


def test_the_budget_is_what_is_set_else_most_of_the_machine() -> None:
    assert budget(Settings(vram_budget_gb=3.5), "cpu") == 3.5
    assert 0.1 < budget(Settings(), "cpu") < 100_000


def test_letting_go_of_memory_needs_no_card() -> None:
    release()
