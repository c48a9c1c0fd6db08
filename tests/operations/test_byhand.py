"""Jobs by hand: what the arguments ask for, where sound is put, what people read."""

import json
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from operations import byhand
from operations.byhand import Heard, write


def job_for(*arguments: str) -> Any:
    chosen, strange = byhand.parser().parse_known_args(arguments)
    return byhand.job(chosen, strange)


def test_text_and_voice_and_model_and_format_make_the_input() -> None:
    job = job_for("--text", "Hello", "--voice", "v", "--model", "m", "--format", "mp3")
    assert job.input == {"text": "Hello", "voice": "v", "model": "m", "format": "mp3"}


def test_an_empty_argument_is_one_that_was_not_given() -> None:
    assert job_for("--text", "Hello", "--voice", "", "--model", "").input == {"text": "Hello"}


def test_without_text_the_file_is_spoken_as_the_other_arguments_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_input.json").write_text('{"input": {"text": "From the file", "voice": "a"}}')
    assert job_for("--voice", "b").input == {"text": "From the file", "voice": "b"}


def test_without_text_and_without_the_file_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match="--text"):
        job_for()


def test_a_whole_job_may_be_given() -> None:
    job = job_for("--test_input", json.dumps({"id": "mine", "input": {"op": "models.list"}, "s3Config": {"a": 1}}))
    assert (job.id, job.input, job.s3) == ("mine", {"op": "models.list"}, {"a": 1})


def test_the_sdks_arguments_are_left_to_the_sdk_and_others_refused() -> None:
    assert job_for("--text", "x", "--rp_log_level", "DEBUG").input == {"text": "x"}
    with pytest.raises(Failure, match="--vioce"):
        job_for("--text", "x", "--vioce", "bob")


def test_the_shipped_example_is_a_job() -> None:
    shipped = json.loads((Path(byhand.__file__).parents[1] / "test_input.json").read_text())
    assert shipped["input"]["text"]


def test_the_summary_says_where_how_long_how_fast_and_what_to_mind(tmp_path: Path) -> None:
    answer = {
        "audio": {"format": "mp3", "duration": 2.0}, "rtf": 0.25, "timings": {"first_audio": 0.125},
        "model": "m", "voice": "v", "warnings": ["The format has no place for the stamp."],
    }  # fmt: skip
    told = write(Heard(answer, b"sound", "mp3", seconds=0.5), tmp_path, "speech")
    assert (tmp_path / "speech.mp3").read_bytes() == b"sound"
    assert told.splitlines() == [
        str(tmp_path / "speech.mp3"),
        "plays 2.00 s, took 0.50 s, first audio after 0.12 s, real-time factor 0.25",
        "model m, voice v",
        "warning: The format has no place for the stamp.",
    ]


def test_a_file_that_was_put_elsewhere_is_pointed_at(tmp_path: Path) -> None:
    told = write(Heard({"audio": {"url": "https://bucket/speech.wav"}}, seconds=1.0), tmp_path, "speech")
    assert told.startswith("https://bucket/speech.wav")
    assert list(tmp_path.iterdir()) == []


def test_each_item_of_a_batch_has_its_file(tmp_path: Path) -> None:
    items = [{"audio": {"format": "wav", "data": b"one"}}, {"audio": {"format": "mp3", "data": b"two"}}]
    told = write(Heard({"items": items}), tmp_path, "speech")
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"one", b"two"]
    assert "data" not in told


def test_an_answer_without_sound_is_shown_as_it_is(tmp_path: Path) -> None:
    assert json.loads(write(Heard({"models": [{"id": "m"}]}), tmp_path, "speech")) == {"models": [{"id": "m"}]}


def test_a_jobs_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    write(Heard({"audio": {}}, b"sound"), tmp_path / "out", "../../evil")
    assert [path.parent for path in tmp_path.rglob("*.wav")] == [tmp_path / "out"]
