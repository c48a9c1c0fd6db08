"""A recording said again: against upstream's own voice conversion, and through the whole house."""

import base64
import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples, as_mono
from models.engines.chatterbox import Chatterbox
from operations.house import House
from tests.engines import tiny_chatterbox
from tests.engines.chatterbox_lines import alike, alone, line, recording, sound_of, together
from tests.engines.housed import housed
from tests.engines.test_chatterbox_sound import drawing
from tests.houses import answered, decoded, done, failed, joined
from tests.voices.speaking import encoded

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

RATE = 24_000
TOKEN = 960
"""Samples."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("house")
    made = tiny_chatterbox.make(place / "made", frames=20, kinds=["english", "turbo"])
    (place / "weights").mkdir()
    (made / "english").rename(place / "weights" / "chatterbox")
    (made / "turbo").rename(place / "weights" / "chatterbox-turbo")
    return place


@pytest.fixture(scope="module")
def engine(folder: Path) -> Chatterbox:
    with tiny_chatterbox.small():
        return Chatterbox.load(folder / "weights" / "chatterbox", "cpu", "")


@pytest.fixture(scope="module")
def spoken() -> Samples:
    """Somebody speaks, whoever listens: a voice that comes with the environment."""
    from hibari import Hibari  # type: ignore[import-untyped,unused-ignore]

    said: Samples = Hibari(voice="heart", threads=1)("The harbour was quiet when the boats came in.", seed=0)
    return as_mono(said)


def theirs(engine: Chatterbox, source: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    """Upstream's own, from its file of a voice and a file of sound, unmarked."""
    import perth  # type: ignore[import-not-found,unused-ignore]
    import soundfile  # type: ignore[import-not-found,unused-ignore]
    import torch  # type: ignore[import-not-found,unused-ignore]

    tiny_chatterbox.upstream()
    from chatterbox.vc import ChatterboxVC  # type: ignore[import-not-found,unused-ignore]

    monkeypatch.setattr(perth, "PerthImplicitWatermarker", perth.DummyWatermarker)
    soundfile.write(tmp_path / "source.wav", source, RATE, subtype="FLOAT")
    voice = torch.load(engine._voice, weights_only=True)["gen"]
    return ChatterboxVC(engine._parts.sound.net, "cpu", voice).generate(str(tmp_path / "source.wav"))[0].numpy()


@pytest.mark.parametrize("seconds", [1.0, 2.37])
def test_a_recording_is_said_again_as_upstream_does(
    engine: Chatterbox, spoken: Samples, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = spoken[: int(seconds * RATE)]
    given = replace(line(engine, text=""), source=source)
    mine = alone(engine, given)
    row = engine._parts.sound.begin(given.conditioning, given.seed)
    with drawing(monkeypatch, row, len(mine) // TOKEN), contextlib.redirect_stderr(io.StringIO()):
        expected = theirs(engine, source, tmp_path, monkeypatch)
    assert len(mine) == len(expected)
    assert np.abs(mine).max() > 0.1
    assert np.abs(mine - expected).max() < 1e-3


def test_recordings_and_texts_sound_together_as_each_does_alone(engine: Chatterbox) -> None:
    lines = [
        replace(
            line(engine, f"line{number}", seed=number, one_pass=True, flow_steps=2 + number % 3),
            conditioning=engine.prepare(recording(number % 3)),
            source=recording(number, 0.5 + number / 3).samples if number % 2 else None,
        )
        for number in range(8)
    ]
    pieces = together(engine, lines)
    for each in lines:
        assert alike(sound_of(pieces, each.id), alone(engine, each)), each.id


@pytest.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    with tiny_chatterbox.small():
        async with housed(folder, "chatterbox") as house:
            yield house


def asked(spoken: Samples, **more: Any) -> dict[str, Any]:
    return {"op": "convert", "audio": base64.b64encode(encoded(spoken)).decode(), "seed": 7, **more}


async def test_a_house_says_a_recording_again_as_file_and_stream_in_the_voice_it_is_given(
    house: House, spoken: Samples
) -> None:
    plain = {"params": {"flow_steps": 2, "one_pass": True}, "loudness": None, "stamp": "none"}
    file = await done(house, asked(spoken, voice="default", **plain))
    stream = joined(await answered(house, asked(spoken, voice="default", delivery="stream", **plain)))
    whole, streamed = decoded(file.data or b"")[0], decoded(stream)[0]
    assert file.answer["model"] == "chatterbox"
    assert len(whole) / RATE == pytest.approx(len(spoken) / RATE, abs=1.0)  # quiet ends go
    assert len(whole) == len(streamed)
    assert np.abs(whole - streamed).max() < 1e-3
    voice = {"reference": base64.b64encode(encoded(spoken[::-1].copy())).decode()}
    other = decoded((await done(house, asked(spoken, voice=voice, **plain))).data or b"")[0]
    assert len(other) != len(whole) or np.abs(other - whole).max() > 0.01


async def test_a_model_that_does_not_convert_says_who_does(house: House, spoken: Samples) -> None:
    event = await failed(house, asked(spoken, voice="default", model="chatterbox-turbo"))
    assert event.error.code == "not_supported"
    assert "chatterbox" in f"{event.error.message} {event.error.hint}".replace("chatterbox-turbo", "")
