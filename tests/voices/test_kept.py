import asyncio

from voices.kept import Kept


async def test_what_was_let_go_while_it_was_made_is_given_but_not_kept():
    kept: Kept[str, str] = Kept(100, len)
    gate = asyncio.Event()
    made = []

    async def make() -> str:
        await gate.wait()
        made.append(1)
        return "old"

    asker = asyncio.create_task(kept.get("a", make))
    await asyncio.sleep(0)
    kept.drop(lambda key: key == "a")
    gate.set()
    assert await asker == "old"
    await kept.get("a", make)
    assert len(made) == 2


async def test_the_newest_stays_however_large():
    kept: Kept[str, str] = Kept(3, len)
    made = []

    async def make() -> str:
        made.append(1)
        return "longer than all"

    await kept.get("a", make)
    await kept.get("a", make)
    assert len(made) == 1
