"""A house of the cloning group for tests: one model by default, with tiny weights under `folder`, on the CPU."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from basics.settings import Settings
from operations import house as houses
from operations.house import House


@asynccontextmanager
async def housed(folder: Path, model: str, accepted: str = "") -> AsyncIterator[House]:
    """Weights, voices and answers are kept in folders of these names; `accepted` is the word of a licence."""
    settings = {
        "MODEL_GROUP": "cloning",
        "MODEL": model,
        "DEVICE": "cpu",
        "WEIGHTS_DIR": str(folder / "weights"),
        "AUDIO_OUTPUT_DIR": str(folder / "out"),
        "VOICES": str(folder / "voices"),
        "ACCEPT_LICENSES": accepted,
    }
    house = houses.open(Settings.read(settings))
    try:
        yield house
    finally:
        await house.close()
