"""XTTS v2 through the whole house: random weights, in the layout of the real ones, and voices as callers bring them."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from basics.audio import as_mono
from operations.house import House
from tests.engines import tiny_xtts
from tests.engines.housed import housed
from tests.houses import answered, decoded, done, failed, joined
from tests.voices.speaking import encoded

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


def recording(text: str) -> str:
    """Somebody speaks, whoever listens: a voice that comes with the environment."""
    from hibari import Hibari  # type: ignore[import-untyped,unused-ignore]

    return base64.b64encode(encoded(as_mono(Hibari(voice="heart", threads=1)(text, seed=0)))).decode()


ONE = "The harbour was quiet when the first boats came in, and nobody spoke."
OTHER = "We will be there in a minute, unless the bridge is closed again."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("house")
    tiny_xtts.make(place / "weights" / "xtts-v2", frames=60)
    return place


@pytest.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    async with housed(folder, "xtts-v2", "cpml") as house:
        yield house


async def test_without_a_voice_it_speaks_in_upstreams_first(house: House) -> None:
    file = await done(house, {"text": "Good evening.", "seed": 7})
    assert file.answer["voice"] == "claribel-dervla"
    assert decoded(file.data or b"")[0].size > 10_000


async def test_a_voice_of_several_recordings_is_derived_once_and_spoken_as_file_and_stream(
    house: House, folder: Path
) -> None:
    await done(house, {"op": "voices.create", "id": "alice", "reference": [recording(ONE), recording(OTHER)]})
    asked = {
        "text": "Bitte schließen Sie das Fenster.",
        "language": "de",
        "voice": "alice",
        "seed": 7,
        "loudness": None,
    }
    file = await done(house, asked)
    (kept,) = (folder / "voices").rglob("*.safetensors")
    written = kept.stat().st_mtime_ns
    stream = joined(await answered(house, asked | {"delivery": "stream", "format": "wav"}))
    whole, streamed = decoded(file.data or b"")[0], decoded(stream)[0]
    assert whole.size == streamed.size > 0
    assert np.max(np.abs(whole - streamed)) < 1e-3
    assert kept.stat().st_mtime_ns == written


async def test_a_reference_in_the_job_needs_no_words(house: House) -> None:
    assert (await done(house, {"text": "Good evening.", "voice": {"reference": recording(ONE)}})).data


async def test_a_long_text_is_cut_as_short_as_its_language_wants(house: House) -> None:
    text = "мы будем через минуту и потом пойдём дальше, " * 9
    lengths = {}
    for language in ("en", "ru"):
        told = await done(house, {"text": text, "language": language, "dry_run": True})
        lengths[language] = max(len(each["text"]) for each in told.answer["segments"])
    assert lengths["ru"] <= 182 < lengths["en"] <= 250


async def test_knobs_of_beams_are_refused_by_name(house: House) -> None:
    event = await failed(house, {"text": "Good evening.", "params": {"length_penalty": 1.0}})
    assert event.error.code == "invalid_input"
    assert "length_penalty" in f"{event.error.message} {event.error.field}"


async def test_without_the_licences_word_it_does_not_load(folder: Path) -> None:
    async with housed(folder, "xtts-v2") as house:
        event = await failed(house, {"text": "Good evening."})
    assert event.error.code == "licence_not_accepted"
    assert "cpml" in event.error.message
