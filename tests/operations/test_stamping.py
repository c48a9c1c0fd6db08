"""What each `stamp` does, with a model that watermarks and with one that does not."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from basics.audio import Samples
from basics.settings import Settings
from models.catalogue import Catalogue
from models.engines.tone import Tone
from models.groups import table
from models.watermark import Watermark
from operations import house as houses
from operations.house import House
from tests.houses import answered, decoded, done, failed, joined, standing

HERTZ, LOUD = 9000.0, 1e-3


class Whistle:
    """A mark that is easy to find: high, and far under the voice."""

    def mark(self, samples: Samples, rate: int) -> Samples:
        whistle = LOUD * np.sin(2 * np.pi * HERTZ * np.arange(samples.size) / rate)
        return (samples + whistle).astype(np.float32)

    def found(self, samples: Samples, rate: int) -> float:
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) / samples.size
        hertz = np.fft.rfftfreq(samples.size, 1 / rate)
        return float(spectrum[abs(hertz - HERTZ) < 20].max() > LOUD / 20)


class Marked(Tone):
    card = replace(Tone.card, watermarks=True)

    @classmethod
    def watermark(cls) -> Watermark:
        return Whistle()


@asynccontextmanager
async def marking(folder: Path) -> AsyncIterator[House]:
    settings = Settings.read({"MODEL": "tone", "AUDIO_OUTPUT_DIR": str(folder), "VOICES": str(folder / "voices")})
    entries = [replace(entry, engine=Marked) if entry.id == "tone" else entry for entry in table()]
    house = houses.open(settings, Catalogue(settings, entries))
    try:
        yield house
    finally:
        await house.close()


def tagged(data: bytes) -> bool:
    with av.open(io.BytesIO(data)) as container:
        return any("ynthetic" in value for value in container.metadata.values())


@pytest.mark.parametrize(
    ("asked", "tags", "mark"),
    [
        ({}, True, True),
        ({"stamp": "both"}, True, True),
        ({"stamp": "watermark"}, False, True),
        ({"stamp": "metadata"}, True, False),
        ({"stamp": "none"}, False, False),
    ],
)
async def test_a_file_carries_what_was_asked_for(tmp_path: Path, asked: dict[str, Any], tags: bool, mark: bool) -> None:
    async with marking(tmp_path) as house:
        event = await done(house, {"text": "A sentence that is spoken here."} | asked)
    assert event.data is not None
    assert (tagged(event.data), bool(Whistle().found(*decoded(event.data)))) == (tags, mark)


async def test_a_marked_file_is_as_long_and_as_loud_as_any(tmp_path: Path) -> None:
    said = {"text": "A sentence that is spoken here. And another one."}
    async with marking(tmp_path) as house:
        plain, marked = [await done(house, said | {"stamp": stamp}) for stamp in ("none", "watermark")]
    assert plain.answer["audio"]["duration"] == marked.answer["audio"]["duration"]
    assert plain.data is not None
    assert marked.data is not None
    one, other = decoded(plain.data)[0], decoded(marked.data)[0]
    assert np.sqrt(np.mean(one**2)) == pytest.approx(np.sqrt(np.mean(other**2)), rel=0.02)


async def test_a_stream_carries_tags_alone_and_says_so_where_more_was_asked_for(tmp_path: Path) -> None:
    said = {"text": "A sentence that is spoken here.", "delivery": "stream"}
    async with marking(tmp_path) as house:
        plain = joined(await answered(house, said))
        for stamp in ("watermark", "both"):
            event = await failed(house, said | {"stamp": stamp})
            assert (event.error.code, event.error.field) == ("not_supported", "stamp")
    assert tagged(plain)
    assert not Whistle().found(*decoded(plain))


async def test_a_model_without_a_watermark_says_so(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        for stamp in ("watermark", "both"):
            event = await failed(house, {"text": "Hello there.", "stamp": stamp})
            assert (event.error.code, event.error.field) == ("not_supported", "stamp")
            assert "no watermark" in event.error.message
        assert tagged((await done(house, {"text": "Hello there."})).data or b"")
