from pathlib import Path

import pytest

from bench.soak import soak


@pytest.mark.slow
async def test_every_job_of_a_disorderly_half_minute_ends_in_exactly_one_way(tmp_path: Path) -> None:
    record = await soak(25.0, seed=7, folder=tmp_path)
    assert record.faults == []
    assert sum(record.ends.values()) > 20
