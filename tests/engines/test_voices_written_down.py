"""A voice made without words, with the real recogniser: it is there at once, and what is said in it comes later."""

import asyncio
import base64
from pathlib import Path

import numpy as np
import pytest
from hibari import Hibari

from tests.engines import recogniser, weights
from tests.houses import done, standing
from tests.voices.speaking import encoded

pytestmark = pytest.mark.engine

SAID = (recogniser.SENTENCES[4], recogniser.SENTENCES[18])


async def test_a_new_voice_waits_for_its_words_and_gets_them(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "whisper-base").symlink_to(weights.whisper())
    speaker, pause = Hibari(), np.zeros(12_000, np.float32)
    sound = np.concatenate([part for text in SAID for part in (np.asarray(speaker(text, seed=1), np.float32), pause)])
    reference = base64.b64encode(encoded(sound)).decode()
    async with standing(tmp_path, WEIGHTS_DIR=str(tmp_path / "weights")) as house:
        asked = {"op": "voices.create", "id": "alice", "reference": reference, "language": "en"}
        voice = (await done(house, asked)).answer["voice"]
        assert voice["transcript_state"] == "pending"
        while voice["transcript_state"] == "pending":
            await asyncio.sleep(0.1)
            voice = (await done(house, {"op": "voices.get", "id": "alice"})).answer["voice"]
        known = await house.library.written("alice", 3.0)
    assert voice["transcript_state"] == "done"
    assert recogniser.wer(" ".join(SAID), voice["transcript"]) <= 0.2
    assert known is not None
    assert len(known.words) >= 12
    assert all(0 <= word.start <= word.end <= known.seconds + 0.1 for word in known.words)
