import math

import numpy as np
import pytest

from bench.memory import Memory, growth

MB = 1_000_000


def test_what_is_held_counts_as_in_use_until_it_is_let_go():
    before = Memory.now()
    if math.isnan(before.in_use):
        pytest.skip("this C library does not tell its books")
    held = [np.ones(MB // 80, np.float64) for _ in range(200)]
    with_it = Memory.now()
    assert with_it.in_use - before.in_use == pytest.approx(20.0, abs=1.0)
    held.clear()
    assert Memory.now().in_use - before.in_use == pytest.approx(0.0, abs=1.0)


def test_python_objects_are_counted():
    before = Memory.now()
    held = [object() for _ in range(50_000)]
    assert Memory.now().objects - before.objects == pytest.approx(50.0, abs=2.0)
    assert held


def test_growth_leaves_out_what_filled_caches_at_first():
    assert growth([10, 20, 50, 50, 51, 50, 50, 52, 50]) == 0
    assert growth([1, 2, 3, 4, 5, 6]) == 2
    assert growth([1, 2]) == 0
