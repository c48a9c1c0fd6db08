import subprocess
import sys
import threading

import pytest

from bench import share
from bench.share import STEPS, TURNS, Share, Spent


def thread(name: str) -> threading.Thread:
    return threading.Thread(name=name)


def test_the_engine_has_its_turns_and_all_threads_that_are_not_pythons():
    threads = {thread("MainThread"): 1.0, thread("deck-tone"): 5.0, thread("asyncio_0"): 2.0, thread("asyncio_1"): 1.0}
    spent = Spent(12.0, threads, {TURNS: 4.5, "trim": 0.5, "encoder": 1.5})
    told = share.split(spent, Share("tone", 16, 100.0, 0.0, {}))
    assert told.engine == 4.5 + 3.0
    assert told.own == {
        "trim": 0.5,
        "encoder": 1.5,
        "choosing, giving out": 0.5,
        "event loop, clients with it": 1.0,
        "other threads, the rest": 1.0,
    }
    assert told.worker + told.engine == 12.0
    assert told.row()[-2:] == ["45.00", "60.0%"]


@pytest.mark.slow
async def test_two_streams_are_told_step_by_step():
    told = await share.share("hibari", streams=2, seconds=0.1)
    assert told.sound > 10
    assert told.engine > 0
    assert {step for step in STEPS if step != TURNS} <= set(told.own)
    assert all(seconds > 0 for seconds in told.own.values())
    assert len(told.rows()) == len(told.own)


def test_a_model_that_the_bench_does_not_know_is_refused_before_anything_runs():
    command = [sys.executable, "-m", "bench", "share", "nobody"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "No benchmark is called nobody" in refused.stderr
