"""A cloned voice through the whole house, with an engine that really clones: tiny, random and real in its layout."""

import base64
from pathlib import Path

import numpy as np
import pytest

from basics.settings import Settings
from operations import house as houses
from tests.engines import tiny_pocket
from tests.houses import answered, decoded, done, joined
from tests.voices.speaking import encoded

pytestmark = [pytest.mark.engine, pytest.mark.environment("pocket")]

TEXT = "Please close the window."


def recording() -> str:
    """Bursts of coloured noise with pauses between: enough for whoever looks for speech by its levels."""
    rng, rate = np.random.default_rng(1), 24_000
    at = np.arange(4 * rate) / rate
    voiced = sum(np.sin(2 * np.pi * 140 * n * at + n) / n for n in range(1, 20))
    sound = voiced * (0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 1.5 * at))) + rng.normal(0, 0.003, at.size)
    return base64.b64encode(encoded((sound * 0.1).astype(np.float32))).decode()


async def test_a_library_voice_is_cloned_once_and_spoken_as_file_and_stream(tmp_path: Path) -> None:
    tiny_pocket.make(tmp_path / "weights" / "pocket-tts")
    settings = Settings.read(
        {
            "MODEL_GROUP": "pocket",
            "DEVICE": "cpu",
            "WEIGHTS_DIR": str(tmp_path / "weights"),
            "AUDIO_OUTPUT_DIR": str(tmp_path / "out"),
            "VOICES": str(tmp_path / "voices"),
        }
    )
    house = houses.open(settings)
    try:
        await done(house, {"op": "voices.create", "id": "alice", "reference": recording()})
        asked = {"text": TEXT, "voice": "alice", "seed": 7, "loudness": None}
        file = await done(house, asked)
        derived = list((tmp_path / "voices").rglob("*.safetensors"))
        stream = joined(await answered(house, asked | {"delivery": "stream", "format": "wav"}))
        inline = await done(house, asked | {"voice": {"reference": recording()}})
    finally:
        await house.close()
    assert len(derived) == 1
    assert file.answer["voice"] == "alice"
    whole, streamed = decoded(file.data or b"")[0], decoded(stream)[0]
    assert whole.size == streamed.size > 0
    assert np.max(np.abs(whole - streamed)) < 1e-3
    assert inline.data is not None
