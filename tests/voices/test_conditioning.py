import asyncio

import numpy as np
import pytest

from basics.errors import Failure
from voices.conditioning import Conditioning
from voices.derived import Derived
from voices.voice import Voice

KEY = ("engine", "revision")


def voice(id: str) -> Voice:
    return Voice(id, "preset", f"preset:{id}")


class Deriver:
    def __init__(self, floats: int = 4, error: Failure | None = None) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._floats, self._error = floats, error

    async def __call__(self) -> Derived:
        self.calls += 1
        await self.gate.wait()
        if self._error is not None:
            raise self._error
        return Derived({"latent": np.zeros(self._floats, np.float32)})


async def test_what_was_derived_once_is_not_derived_again() -> None:
    kept, derive = Conditioning(), Deriver()
    first = await kept.get(voice("a"), KEY, derive)
    assert await kept.get(voice("a"), KEY, derive) is first
    assert derive.calls == 1


async def test_many_who_ask_at_once_wait_for_one() -> None:
    kept, derive = Conditioning(), Deriver()
    derive.gate.clear()
    askers = [asyncio.create_task(kept.get(voice("a"), KEY, derive)) for _ in range(8)]
    await asyncio.sleep(0)
    derive.gate.set()
    await asyncio.gather(*askers)
    assert derive.calls == 1


async def test_one_askers_cancellation_is_not_anothers() -> None:
    kept, derive = Conditioning(), Deriver()
    derive.gate.clear()
    leaves, stays = (asyncio.create_task(kept.get(voice("a"), KEY, derive)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    derive.gate.set()
    assert (await stays).arrays["latent"].size == 4
    assert derive.calls == 1


async def test_a_failure_is_not_kept() -> None:
    kept = Conditioning()
    with pytest.raises(Failure, match="no"):
        await kept.get(voice("a"), KEY, Deriver(error=Failure("voice_unusable", "no")))
    assert (await kept.get(voice("a"), KEY, Deriver())).arrays["latent"].size == 4


async def test_other_weights_mean_another_conditioning() -> None:
    kept, derive = Conditioning(), Deriver()
    await kept.get(voice("a"), KEY, derive)
    await kept.get(voice("a"), ("engine", "newer"), derive)
    assert derive.calls == 2


async def test_over_the_budget_the_least_recently_used_leaves() -> None:
    kept, derive = Conditioning(budget_bytes=32), Deriver(floats=4)
    for id in ("a", "b", "a", "c"):
        await kept.get(voice(id), KEY, derive)
    calls = derive.calls
    await kept.get(voice("a"), KEY, derive)
    assert derive.calls == calls
    await kept.get(voice("b"), KEY, derive)
    assert derive.calls == calls + 1
