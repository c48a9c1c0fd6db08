"""Two hundred swaps of two real models through the real manager: is memory where it was? `python -m bench swaps`.

Hibari and, where its weights are unpacked, Kokoro; else tone. Each swap loads one, which speaks its first word
and leaves again. Run it with MALLOC_ARENA_MAX=2, as the image does.
"""

import asyncio
import threading

from basics.settings import Settings
from bench.memory import Memory, growth
from bench.pairs import table
from models.catalogue import Catalogue
from models.manager import Manager
from tests.engines.weights import CACHE

SWAPS, EVERY = 200, 10
IDLE_SECONDS = 0.01


async def swapped(models: tuple[str, str], swaps: int = SWAPS) -> list[Memory]:
    """After every tenth swap."""
    environment = {"MODEL": models[0], "WEIGHTS_DIR": str(CACHE), "DEVICE": "cpu", "IDLE_UNLOAD": str(IDLE_SECONDS)}
    settings = Settings.read(environment)
    manager, seen = Manager(settings, Catalogue(settings)), list[Memory]()
    try:
        for number in range(swaps):
            await manager.warm(models[number % 2])
            while manager.residents():  # noqa: ASYNC110 a thread unloads it
                await asyncio.sleep(IDLE_SECONDS)
            if number % EVERY == EVERY - 1:
                seen.append(await asyncio.to_thread(Memory.now))
    finally:
        await manager.close()
    return seen


def main() -> str:
    other = "kokoro" if (CACHE / "kokoro").is_dir() else "tone"
    threads = threading.active_count()
    seen = asyncio.run(swapped(("hibari", other)))
    resident, in_use = [each.resident for each in seen], [each.in_use for each in seen]
    row = [f"hibari, {other}", str(SWAPS), *(" ".join(f"{mb:.0f}" for mb in each) for each in (resident, in_use))]
    heads = ["models", "swaps", f"MB after every {EVERY}", "in use, MB", "last third less the second, MB", "in use, MB"]
    row += [f"{growth(each):+.1f}" for each in (resident, in_use)]
    return table([*heads, "threads more at the end"], [[*row, str(threading.active_count() - threads)]])


if __name__ == "__main__":
    print(main())
