"""Writing down what is said: with the real Whisper base where it matters, and what callers meet without it."""

import threading
from pathlib import Path

import numpy as np
import pytest

from basics.audio import from_db
from basics.errors import Failure
from basics.settings import Settings
from listening import recogniser
from listening.recogniser import FILES
from listening.whisper import LONGEST, Whisper
from tests.engines import weights
from tests.engines.recogniser import wer
from tests.voices.speaking import RATE, TEXTS, speech


def settings(folder: Path) -> Settings:
    return Settings.read({"WEIGHTS_DIR": str(folder), "MODEL_CACHE_DIR": str(folder / "cache")})


def whole(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"x")
    return folder


def test_without_files_one_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Failure) as told:
        recogniser.installed(settings(tmp_path))
    assert told.value.code == "not_installed"
    assert "WEIGHTS_DIR/whisper-base" in told.value.message
    assert str(tmp_path) not in told.value.message


def test_a_folder_that_lacks_the_tokenizer_is_not_taken_since_the_library_would_fetch_one(tmp_path: Path) -> None:
    (whole(tmp_path / "whisper-base") / "tokenizer.json").unlink()
    assert recogniser.weights((tmp_path,)) is None


def test_the_largest_model_that_is_whole_is_taken_and_the_first_root_before_the_second(tmp_path: Path) -> None:
    whole(tmp_path / "one" / "whisper-base")
    best = whole(tmp_path / "one" / "whisper-small")
    whole(tmp_path / "two" / "whisper-medium")
    assert recogniser.weights((tmp_path / "one", tmp_path / "two")) == best


def test_one_recogniser_serves_the_whole_process(tmp_path: Path) -> None:
    whole(tmp_path / "whisper-base")
    assert recogniser.installed(settings(tmp_path)) is recogniser.installed(settings(tmp_path))


def test_files_of_another_kind_are_told_when_they_are_first_needed(tmp_path: Path) -> None:
    found = recogniser.installed(settings(whole(tmp_path / "whisper-base").parent))
    with pytest.raises(Failure) as told:
        found.hear(np.zeros(RATE, np.float32), RATE)
    assert told.value.code == "weights_missing"


def test_what_is_too_long_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(Failure) as told:
        Whisper(tmp_path).hear(np.zeros(round((LONGEST + 1) * 1000), np.float32), 1000)
    assert told.value.code == "reference_too_large"


def test_silence_of_no_length_says_nothing(tmp_path: Path) -> None:
    assert Whisper(tmp_path).hear(np.zeros(0, np.float32), RATE, "en").text == ""


def test_a_cancelled_job_hears_nothing(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure) as told:
        Whisper(tmp_path).hear(np.zeros(RATE, np.float32), RATE, cancel=cancel)
    assert told.value.code == "cancelled"


@pytest.mark.engine
def test_every_word_is_written_down_with_its_time() -> None:
    sound = speech(2)
    heard = Whisper(weights.whisper(), threads=2).hear(sound, RATE)
    assert heard.language == "en"
    assert wer(" ".join(TEXTS[:2]), heard.text) < 0.2
    assert " ".join(word.text for word in heard.words).split() == heard.text.split()
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start <= word.end <= len(sound) / RATE for word in heard.words)
    second = next(word for word in heard.words if word.text.lower().startswith("is"))
    loud = np.flatnonzero(np.abs(sound[: round(second.start * RATE)]) > from_db(-30))
    assert second.start - loud[-1] / RATE > 0.2  # begins after the pause between the sentences


@pytest.mark.engine
def test_eight_threads_load_the_network_once() -> None:
    whisper = Whisper(weights.whisper(), threads=1)
    models: list[object] = []
    gate = threading.Barrier(8)

    def hear() -> None:
        gate.wait()
        whisper.hear(np.zeros(RATE // 2, np.float32), RATE, "en")
        models.append(whisper._model)

    threads = [threading.Thread(target=hear) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, models))) == 1
    assert len(models) == 8


@pytest.mark.engine
def test_a_language_it_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(Failure) as told:
        Whisper(weights.whisper(), threads=1).hear(speech(1), RATE, "tlh")
    assert told.value.code == "unsupported_language"
