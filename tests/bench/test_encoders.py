import pytest

from bench.encoders import measured, row
from speech.formats import FORMATS


@pytest.mark.slow
def test_every_format_gets_a_row_with_what_it_holds_back_and_costs():
    rounds = measured(rounds=2)
    assert set(rounds) == set(FORMATS)
    for name, each in rounds.items():
        assert len(row(name, each)) == 5
        assert all(taken.held_seconds <= 0.060 for taken in each)
        assert all(taken.cpu_seconds > 0 for taken in each)
