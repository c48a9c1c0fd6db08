"""Whole jobs with real engines: what was written is what is heard."""

from pathlib import Path

import pytest

from basics.settings import Settings
from operations import house as houses
from tests.engines import weights
from tests.engines.bare import corpus_error, misheard
from tests.engines.recogniser import SENTENCES, transcribe, wer
from tests.houses import answered, decoded, done, joined

pytestmark = [pytest.mark.engine, pytest.mark.slow]


async def test_the_worker_is_understood_as_well_as_the_bare_engine(tmp_path: Path) -> None:
    """Files for one half and streams for the other, so that both roads are heard."""
    ours = []
    house = houses.open(Settings.read({"AUDIO_OUTPUT_DIR": str(tmp_path)}))
    try:
        for seed, text in enumerate(SENTENCES):
            if seed % 2:
                data = joined(
                    await answered(house, {"text": text, "seed": seed, "delivery": "stream", "format": "mp3"})
                )
            else:
                data = (await done(house, {"text": text, "seed": seed})).data or b""
            ours.append(decoded(data))
    finally:
        await house.close()
    assert corpus_error(ours) <= misheard() + 0.03


async def test_kokoro_speaks_blends_and_streams_through_the_worker(tmp_path: Path) -> None:
    folder = weights.kokoro().parent
    environment = {"WEIGHTS_DIR": str(folder), "AUDIO_OUTPUT_DIR": str(tmp_path), "MODEL": "kokoro"}
    house = houses.open(Settings.read(environment))
    asked = {"text": "The harbour was quiet when the boats came in.", "voice": "jf_alpha", "language": "en"}
    try:
        file = await done(house, asked)
        streamed = joined(await answered(house, asked | {"delivery": "stream", "format": "opus"}))
        blend = await done(house, asked | {"voice": "jf_alpha(0.5)+jm_kumo(0.5)"})
    finally:
        await house.close()
    sound, rate = decoded(file.data or b"")
    assert 0.8 < sound.size / rate < 4
    stream, stream_rate = decoded(streamed)
    # On a slow device a first line ends before a phrase, which takes a breath, and a Japanese voice is hard to hear.
    assert -0.15 <= stream.size / stream_rate - sound.size / rate <= 0.7
    assert wer(asked["text"], transcribe(stream, stream_rate)) <= 0.35
    assert blend.answer["voice"] == "jf_alpha(0.5)+jm_kumo(0.5)"
    assert blend.data != file.data
