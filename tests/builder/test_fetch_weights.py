import json
from dataclasses import replace
from pathlib import Path

import pytest

from basics.errors import Failure
from builder.fetch_weights import choose, fetch_all, main, pin
from models.engines.tone import Score, Tone
from models.groups import Entry, File, table
from models.hub import Hub
from tests.hub import COMMIT, FakeHub, serving

FILES = {"org/Voice/model.onnx": b"m" * 5000, "org/Voice/.gitattributes": b"*"}
ENTRY = Entry("voice", "embedded", Tone, repository="org/Voice")


def test_a_group_a_model_and_an_unknown_name() -> None:
    assert [entry.id for entry in choose(table(), "qwen", "")] == ["qwen3-tts", "qwen3-tts-custom", "qwen3-tts-design"]
    assert [entry.key for entry in choose(table(), "", "kokoro")] == ["embedded/kokoro"]
    assert [entry.key for entry in choose(table(), "kokoro", "kokoro")] == ["kokoro/kokoro"]
    with pytest.raises(Failure, match="no model `x` in `qwen`"):
        choose(table(), "qwen", "x")
    with pytest.raises(Failure, match="no group `quen`"):
        choose(table(), "quen", "")


def test_a_model_is_fetched_into_a_folder_of_its_own_and_progress_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(FakeHub(dict(FILES))) as fake:
        fetch_all([ENTRY], tmp_path, Hub(fake.address), "", (), said.append)
    assert (tmp_path / "voice" / "model.onnx").read_bytes() == FILES["org/Voice/model.onnx"]
    assert said == ["voice: model.onnx 100 %\n", "voice: there and whole\n"]


def test_unbuilt_engines_and_licences_nobody_accepted_are_passed_over_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    closed = replace(ENTRY, id="closed", engine=Tone.playing(Score(), replace(Tone.card, accept="word")))
    with serving(FakeHub(dict(FILES))) as fake:
        fetch_all([replace(ENTRY, engine=None), closed], tmp_path, Hub(fake.address), "", (), said.append)
        assert fake.seen == []
    assert "not built yet" in said[0]
    assert "ACCEPT_LICENSES=word" in said[1]


def test_pins_are_written_where_the_table_reads_them(tmp_path: Path) -> None:
    pins = tmp_path / "revisions.json"
    with serving(FakeHub({"hexgrad/Kokoro-82M/kokoro.pth": b"k" * 10})) as fake:
        arguments = ["--group", "kokoro", "--hub", fake.address, "--pin", "--pins", str(pins)]
        assert main(arguments, lambda text: None) == 0
    (pinned,) = [entry for entry in table(pins) if entry.key == "kokoro/kokoro"]
    assert pinned.revision == COMMIT
    assert [(file.path, file.size) for file in pinned.files] == [("kokoro.pth", 10)]


def test_a_pin_keeps_what_the_table_knows_and_refuses_another_file(tmp_path: Path) -> None:
    known = File("model.onnx", 5000, "0" * 64)
    with serving(FakeHub(dict(FILES))) as fake:
        with pytest.raises(Failure, match="another file on the hub"):
            pin([replace(ENTRY, files=(known,))], Hub(fake.address), tmp_path / "pins.json", lambda text: None)
        optional = replace(ENTRY, files=(replace(known, sha256="", optional=True),))
        pin([optional], Hub(fake.address), tmp_path / "pins.json", lambda text: None)
    assert json.loads((tmp_path / "pins.json").read_text())["embedded/voice"]["files"][0]["optional"] is True


def test_a_failure_is_one_line_and_a_status(tmp_path: Path) -> None:
    said: list[str] = []
    assert main(["--model", "nothing"], said.append) == 1
    assert said == ["--model: no model `nothing`.\n"]
