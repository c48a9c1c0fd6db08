"""Whether two recordings are of one speaker, by the real encoder; and what callers meet without it."""

from pathlib import Path

import numpy as np
import pytest

from basics.errors import Failure
from basics.settings import Settings
from listening import likeness
from listening.dvector import BANDS, DVector, mels
from tests.engines import weights
from tests.voices.speaking import RATE, noise, raised, sentence


def test_without_its_file_one_is_told_what_to_install(tmp_path: Path) -> None:
    settings = Settings.read({"WEIGHTS_DIR": str(tmp_path), "MODEL_CACHE_DIR": str(tmp_path)})
    with pytest.raises(Failure) as told:
        likeness.installed(settings)
    assert told.value.code == "not_installed"
    assert "WEIGHTS_DIR/d-vector" in told.value.message
    assert str(tmp_path) not in told.value.message


def test_its_file_is_found_below_any_root(tmp_path: Path) -> None:
    file = tmp_path / "two" / likeness.FOLDER / likeness.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    assert likeness.weights((tmp_path / "one", tmp_path / "two")) == file


def test_a_damaged_file_is_told_when_it_is_first_needed(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(Failure) as told:
        DVector(tmp_path / "x.onnx").embedding(sentence(0), RATE)
    assert told.value.code == "weights_missing"


@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), noise(3 * RATE), sentence(0)[: RATE // 2]])
def test_too_little_speech_is_no_voice(tmp_path: Path, sound: np.ndarray) -> None:
    with pytest.raises(Failure) as told:
        DVector(tmp_path).embedding(np.asarray(sound, np.float32), RATE)
    assert told.value.code == "reference_too_short"


def test_a_tone_lights_the_band_it_lies_in() -> None:
    time = np.arange(16_000) / 16_000
    low, high = (mels(np.sin(2 * np.pi * hertz * time).astype(np.float32)) for hertz in (300, 3000))
    assert low.shape[1] == BANDS
    assert low.mean(axis=0).argmax() < high.mean(axis=0).argmax()


@pytest.mark.engine
def test_one_speaker_is_more_like_themselves_than_like_another_whatever_is_said_and_however_loud() -> None:
    encoder = DVector(weights.d_vector() / likeness.FILE)
    one = [encoder.embedding(sentence(at), RATE) for at in range(4)]
    other = [encoder.embedding(raised(sentence(at), -5), RATE) for at in range(4)]
    same = [float(one[a] @ one[b]) for a in range(4) for b in range(a)]
    unlike = [float(a @ b) for a in one for b in other]
    assert min(same) > max(unlike) + 0.1
    quiet = encoder.similarity(sentence(0), RATE, sentence(0) * np.float32(0.05), RATE)
    assert quiet == pytest.approx(1.0, abs=0.02)


@pytest.mark.engine
def test_likeness_lies_within_nought_and_one_and_knows_other_rates() -> None:
    encoder = DVector(weights.d_vector() / likeness.FILE)
    half = sentence(1)[::2]
    assert 0.5 < encoder.similarity(sentence(1), RATE, np.ascontiguousarray(half), RATE // 2) <= 1.0
