"""LiveKit's and Pipecat's OpenAI plugins, unmodified, speak with the server."""

from pathlib import Path

import pytest

from tests.clients.conftest import Running
from tests.houses import done, standing
from tests.server.served import served

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.timeout(600)]

TEXT = "Hello there. This is a sentence or two."
ALIASES = "tts-1=tone,gpt-4o-mini-tts=tone"


async def seconds(folder: Path) -> float:
    async with standing(folder) as house:
        return float((await done(house, {"text": TEXT})).answer["audio"]["duration"])


async def test_livekit_hears_all_of_it_in_every_format(tmp_path: Path, running: Running) -> None:
    expected = await seconds(tmp_path)
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as server:
        # It asks for SSE but of the tts-1 models.
        address = str(server.base_url).rstrip("/")
        told = await running("livekit_openai.py", address, TEXT, "gpt-4o-mini-tts", "tts-1")
    assert len(told) == 12
    for heard in told.values():
        assert heard["rate"] == 24_000
        assert heard["seconds"] == pytest.approx(expected, abs=0.2)


async def test_pipecat_hears_all_of_it(tmp_path: Path, running: Running) -> None:
    expected = await seconds(tmp_path)
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as server:
        address = str(server.base_url).rstrip("/")
        told = await running("pipecat_openai.py", address, "gpt-4o-mini-tts", "marin", "1", TEXT)
    assert (told["rate"], told["errors"]) == (24_000, [])
    assert told["bytes"] / 48_000 == pytest.approx(expected, abs=0.2)


async def test_pipecat_is_told_what_is_wrong(tmp_path: Path, running: Running) -> None:
    async with served(tmp_path, MODEL_ALIASES=ALIASES) as server:
        told = await running("pipecat_openai.py", str(server.base_url).rstrip("/"), "tts-1", "marin", "4", TEXT)
    assert told["bytes"] == 0
    assert "0.5 to 2" in told["errors"][0]
