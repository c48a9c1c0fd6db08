from pathlib import Path

import pytest

from bench.memory import Memory
from bench.soak import STRETCHES, Record, judged, soak


@pytest.mark.slow
async def test_every_job_of_a_disorderly_half_minute_ends_in_exactly_one_way(tmp_path: Path) -> None:
    record = await soak(25.0, seed=7, folder=tmp_path)
    assert record.faults == []
    assert sum(record.ends.values()) > 20


def held(*, in_use: list[float] | None = None, resident: list[float] | None = None) -> Record:
    record, stretches = Record(), range(STRETCHES)
    for number in stretches:
        mb, whole = (in_use or [30.0] * STRETCHES)[number], (resident or [300.0] * STRETCHES)[number]
        record.memory.append(Memory(whole, mb, whole - mb, 300.0))
        record.threads.append(8)
    return judged(record)


def test_what_stays_in_use_is_a_fault_though_the_process_is_no_larger():
    assert held().faults == []
    assert held(in_use=[30.0 + number for number in range(STRETCHES)], resident=[300.0] * STRETCHES).faults == []
    leaking = [30.0 + 2 * number for number in range(STRETCHES)]
    assert held(in_use=leaking).faults == ["in_use grew by 8 MB"]


def test_a_process_that_grows_by_what_nobody_holds_is_told_apart():
    record = held(resident=[300.0 + 20 * number for number in range(STRETCHES)])
    assert record.faults == ["resident grew by 80 MB"]
    assert record.grown("in_use") == 0
    assert record.grown("kept") == 80


async def test_only_the_callers_that_are_named_come(tmp_path: Path) -> None:
    record = await soak(1.0, seed=3, folder=tmp_path, manners=["wrong"])
    assert set(record.ends) == {"wrong: failed"}
    assert record.faults == []
