"""F5-TTS through the whole house: random weights, in the layout of the real ones, and voices as callers bring them."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from operations.house import House
from tests.engines import tiny_f5
from tests.engines.housed import housed
from tests.houses import answered, decoded, done, failed, joined
from tests.voices.speaking import encoded

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

WORDS = "The harbour was quiet when the boats came in."
QUICK = {"steps": 5, "guidance": 0.0}


def recording() -> str:
    """Bursts of a buzzing tone with pauses between: enough for whoever looks for speech by its levels."""
    rng, rate = np.random.default_rng(1), 24_000
    at = np.arange(4 * rate) / rate
    voiced = sum(np.sin(2 * np.pi * 140 * n * at + n) / n for n in range(1, 20))
    sound = voiced * (0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 1.5 * at))) + rng.normal(0, 0.003, at.size)
    return base64.b64encode(encoded((sound * 0.1).astype(np.float32))).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("house")
    tiny_f5.make(place / "weights" / "f5-tts")
    return place


@pytest.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    async with housed(folder, "f5-tts", "cc-by-nc") as house:
        yield house


async def test_without_a_voice_it_speaks_in_its_own(house: House) -> None:
    file = await done(house, {"text": "Good evening.", "params": QUICK, "seed": 7})
    assert file.answer["voice"] == "heart"
    assert decoded(file.data or b"")[0].size > 10_000


async def test_a_library_voice_with_its_words_is_cloned_and_spoken_as_file_and_stream(
    house: House, folder: Path
) -> None:
    await done(house, {"op": "voices.create", "id": "alice", "reference": recording(), "transcript": WORDS})
    asked = {"text": "Please close the window.", "voice": "alice", "seed": 7, "loudness": None, "params": QUICK}
    file = await done(house, asked)
    stream = joined(await answered(house, asked | {"delivery": "stream", "format": "wav"}))
    whole, streamed = decoded(file.data or b"")[0], decoded(stream)[0]
    assert whole.size == streamed.size > 0
    assert np.max(np.abs(whole - streamed)) < 1e-3
    assert len(list((folder / "voices").rglob("*.safetensors"))) == 1


async def test_a_reference_in_the_job_brings_its_words_along(house: House) -> None:
    voice = {"reference": recording(), "transcript": WORDS}
    assert (await done(house, {"text": "Good evening.", "voice": voice, "params": QUICK})).data


async def test_a_reference_without_its_words_is_refused(house: House) -> None:
    event = await failed(house, {"text": "Good evening.", "voice": {"reference": recording()}})
    assert event.error.code == "voice_unusable"
    assert "what is said" in event.error.message


async def test_without_the_licences_word_it_does_not_load(folder: Path) -> None:
    async with housed(folder, "f5-tts") as house:
        event = await failed(house, {"text": "Good evening."})
    assert event.error.code == "licence_not_accepted"
    assert "cc-by-nc" in event.error.message + (event.error.hint or "")
