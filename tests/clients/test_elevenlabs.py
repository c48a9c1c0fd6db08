"""LiveKit's and Pipecat's ElevenLabs plugins, unmodified, speak with the server."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Running
from tests.clients.test_openai import TEXT, seconds
from tests.server.served import served

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.timeout(600)]

AGAIN = "And this is another turn."
ENCODINGS = ("mp3_22050_32", "pcm_24000", "opus_48000_64")


async def test_livekit_hears_all_of_it_live_and_at_once(tmp_path: Path, running: Running) -> None:
    expected = await seconds(tmp_path)
    async with served(tmp_path) as server:
        told = await running("livekit_elevenlabs.py", address(server), "low", TEXT, *ENCODINGS)
    assert len(told) == 6
    for how, heard in told.items():
        assert heard["seconds"] == pytest.approx(expected, abs=0.3), how
    for how in (each for each in told if each.startswith("live")):
        timed(told[how]["words"], expected)


async def test_livekit_is_told_what_is_wrong(tmp_path: Path, running: Running) -> None:
    async with served(tmp_path) as server:
        told = await running("livekit_elevenlabs.py", address(server), "nobody", TEXT, "pcm_24000")
    assert all("error" in heard for heard in told.values())


@pytest.mark.parametrize("how", ["token", "sentence", "http"])
async def test_pipecat_hears_every_turn_and_when_each_word_is_said(tmp_path: Path, running: Running, how: str) -> None:
    expected = await seconds(tmp_path)
    async with served(tmp_path) as server:
        told = await running("pipecat_elevenlabs.py", address(server), "low", how, TEXT, AGAIN)
    assert (told["rate"], told["errors"], told["turns"]) == (24_000, [], 2)
    assert told["bytes"] / 48_000 > expected + 1
    assert [word for word, _ in told["words"]] == f"{TEXT} {AGAIN}".split()
    first, last = told["words"][0], told["words"][len(TEXT.split()) - 1]
    assert (last[1] - first[1]) / 1e9 == pytest.approx(expected - 0.3, abs=0.4)


def address(server: Any) -> str:
    return str(server.base_url).rstrip("/")


def timed(words: list[list[Any]], expected: float) -> None:
    assert "".join(word for word, _, _ in words).split() == TEXT.split()
    starts = [start for _, start, _ in words]
    assert starts == sorted(starts)
    assert words[-1][2] == pytest.approx(expected, abs=0.3)
