"""`python -m voices`, as somebody at a terminal or a script meets it: on a folder, without any network."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.houses import decoded
from tests.voices.heap import SPOILT, recordings
from tests.voices.speaking import encoded, speech
from voices.__main__ import app

ROOT = Path(__file__).parents[2]


class Place:
    """A folder of voices, and commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights = folder / "no-weights"
        self.voices = folder / "voices"

    def run(self, *arguments: object, **options: Any) -> Result:
        environment = {"WEIGHTS_DIR": str(self.weights), "MODEL_CACHE_DIR": str(self.weights), "MODEL": "tone"}
        words = [*map(str, arguments), "--voices", str(self.voices)]
        return CliRunner().invoke(app, words, env={**environment, "COLUMNS": "200"}, **options)

    def json(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        assert result.stdout.count("\n") == 1
        told: dict[str, Any] = json.loads(result.stdout)
        return told

    def left(self) -> set[str]:
        return {str(path.relative_to(self.voices)) for path in self.voices.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("heap"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "good.wav"
    path.write_bytes(encoded(speech(2)))
    return path


def test_clone_makes_a_voice_of_what_is_good_and_says_why_the_rest_is_not(place: Place, heap: Path) -> None:
    told = place.json("clone", "--input-dir", heap, "--voice-id", "alice", "--tag", "warm", "--model", "tone")
    used = {each["name"]: each["used"] for each in told["recordings"]}
    assert used == {name: name == "good.flac" for name in [*SPOILT, "good.flac"]}
    for each in told["recordings"]:
        assert each["used"] or each["why"].startswith(SPOILT[each["name"]])
    assert told["voice"]["id"] == "alice"
    assert told["voice"]["tags"] == ["warm"]
    assert 5 < told["voice"]["duration"] <= 15
    assert told["voice"]["quality"]["warnings"] == []
    assert told["models"] == [{"model": "tone", "ready": True}]
    assert "alice/derived/tone-1.safetensors" in place.left()


def test_clone_says_it_to_people_in_a_table(place: Place, heap: Path) -> None:
    result = place.run("clone", "--input-dir", heap, "--voice-id", "alice")
    assert result.exit_code == 0
    for words in ("noisy.wav", "clipped: ", "too short: ", "good.flac"):
        assert words in result.stdout
    assert "1 to 5 minutes give more" in result.stderr
    assert "Without a transcript: No recogniser is installed" in result.stderr


def test_a_model_that_is_not_here_leaves_the_voice_and_says_why(place: Place, good: Path) -> None:
    told = place.json("clone", "--input-dir", good.parent, "--voice-id", "al", "--model", "xtts-v2")
    assert (told["models"][0]["ready"], told["models"][0]["code"]) == (False, "model_not_in_this_worker")
    assert place.json("show", "al")["voice"]["id"] == "al"


def test_nothing_good_enough_is_no_voice(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "one.wav").write_bytes(b"x")
    assert place.json("clone", "--input-dir", folder, "--voice-id", "al", code=1)["error"]["code"] == (
        "reference_too_short"
    )
    assert place.left() == set()


def test_a_voice_that_is_there_is_replaced_only_when_asked(place: Place, good: Path) -> None:
    place.json("add", "bob", good)
    assert place.json("add", "bob", good, code=1)["error"]["code"] == "voice_exists"
    place.json("add", "bob", good, "--replace", "--name", "Bob")
    assert place.json("show", "bob")["voice"]["name"] == "Bob"


def test_a_chatterbox_file_that_cannot_be_made_is_refused_before_any_work(place: Place, good: Path) -> None:
    told = place.json("clone", "--input-dir", good.parent, "--voice-id", "al", "--pth", place.folder / "a.pth", code=1)
    assert told["error"]["code"] == "not_installed"
    assert "chatterbox-tts" in told["error"]["message"]
    assert place.left() == set()


def test_the_life_of_a_voice(place: Place, good: Path) -> None:
    place.json(
        "add", "bob", good, "--transcript", "Good morning.", "--tag", "deep", "--tag", "calm", "--language", "en"
    )
    place.json("add", "eve", good)
    assert [row["id"] for row in place.json("list")["voices"]] == ["bob", "eve"]
    assert place.json("list", "--tag", "deep")["total"] == 1
    changed = place.json("edit", "bob", "--name", "Robert", "--consent-by", "Bob", "--clear", "tags")["voice"]
    assert (changed["name"], changed["tags"], changed["consent"]) == ("Robert", [], {"by": "Bob"})
    assert place.json("edit", "bob", "--clear", "nonsense", code=2)["error"]["field"] == "nonsense"
    assert "Robert" in place.run("list").stdout
    assert place.json("check")["voices"] == [
        {"id": id, "usable": True, "score": place.json("show", id)["voice"]["quality"]["score"], "complaints": []}
        for id in ("bob", "eve")
    ]
    assert place.json("remove", "bob", "eve", "--yes") == {"deleted": ["bob", "eve"]}
    assert place.left() == set()


def test_removing_asks_first(place: Place, good: Path) -> None:
    place.json("add", "bob", good)
    assert place.run("remove", "bob", input="").exit_code == 2
    assert place.json("remove", "bob", code=2)["error"]["code"] == "invalid_input"
    assert place.json("show", "bob")["voice"]["id"] == "bob"


def test_what_is_exported_is_imported_as_it_was(place: Place, good: Path) -> None:
    place.json("add", "bob", good, "--name", "Bob", "--transcript", "Good morning.", "--consent-by", "Bob himself")
    place.json("edit", "bob", "--transcript", "Good morning to you.")
    file = place.folder / "bob.zip"
    told = place.json("export", "bob", "--to", file)
    assert (told["path"], told["bytes"]) == (str(file), file.stat().st_size)
    before, after = place.json("show", "bob")["voice"], place.json("import", file, "--as", "rob")["voice"]
    assert before["transcript_state"] == "edited"
    same = ("name", "transcript", "transcript_state", "consent", "language", "sample_rate")
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    assert after["duration"] == pytest.approx(before["duration"], abs=0.1)
    assert place.json("import", file, code=1)["error"]["code"] == "voice_exists"
    with zipfile.ZipFile(file) as zip:
        assert len(decoded(zip.read("bob/reference.flac"))[0]) / before["sample_rate"] == pytest.approx(
            before["duration"], abs=0.01
        )


def test_a_hostile_zip_is_refused_and_nothing_is_written(place: Place) -> None:
    evil = place.folder / "evil.zip"
    with zipfile.ZipFile(evil, "w") as zip:
        zip.writestr("../evil/voice.json", "{}")
        zip.writestr("../evil/reference.flac", b"x")
    before = set(place.folder.rglob("*"))
    assert place.json("import", evil, code=2)["error"]["code"] == "invalid_input"
    assert set(place.folder.rglob("*")) - before <= {place.voices}


def test_check_tells_what_is_wrong_with_recordings_and_keeps_none(place: Place, heap: Path, good: Path) -> None:
    rows = {row["recording"]: row for row in place.json("check", heap, good, code=1)["recordings"]}
    assert rows[str(good)]["usable"]
    assert not rows[str(heap / "noisy.wav")]["usable"]
    assert rows[str(heap / "noisy.wav")]["complaints"][0].startswith("noisy: ")
    assert place.json("check", good)["recordings"][0]["quality"]["snr_db"] > 30
    assert place.left() == set()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "nobody"), 1, "unknown_voice"),
        (("show", "../x"), 2, "invalid_input"),
        (("add", "bob", "/nowhere.wav"), 2, "cannot be read"),
        (("check", "/nowhere"), 2, "There is no /nowhere"),
        (("list", "--endpoint", "abc"), 2, "two places"),
        (("import", "/nowhere.zip"), 2, "cannot be read"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(place: Place, arguments: Any, code: int, says: str) -> None:
    result = place.run(*arguments)
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("-m", "voices", "clone", "--input-dir", "{heap}", "--voice-id", "al"),
        ("scripts/clone_voice.py", "--input_dir", "{heap}", "--output_voice_id", "al"),
    ],
)
def test_the_real_command_writes_json_to_a_pipe_and_ends_well(
    place: Place, heap: Path, command: tuple[str, ...]
) -> None:
    words = [word.format(heap=heap) for word in command]
    done = subprocess.run(
        [sys.executable, *words, "--voices", str(place.voices), "--json"],
        cwd=ROOT,
        env={**os.environ, "WEIGHTS_DIR": str(place.weights), "MODEL_CACHE_DIR": str(place.weights)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["voice"]["id"] == "al"


@pytest.mark.engine
def test_what_is_said_is_written_down_where_a_recogniser_is_installed(place: Place, good: Path) -> None:
    from tests.engines import weights

    weights.whisper()
    place.weights = weights.CACHE
    voice = place.json("clone", "--input-dir", good.parent, "--voice-id", "al", "--model", "tone")["voice"]
    assert "welcome to our little show" in voice["transcript"]
    assert voice["transcript_state"] == "done"
