"""What the papers show is true: requests are accepted, code compiles, generated pages are what the code says."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from basics.errors import CODES
from basics.settings import variables
from builder.docs import models, shown, stale
from models.groups import table
from operations.request import SpeakRequest

ROOT = Path(__file__).parent.parent
PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(kind: str) -> list[tuple[str, str]]:
    found = [
        (path, text) for path in PAPERS for text in re.findall(rf"```{kind}\n(.*?)```", path.read_text(), re.DOTALL)
    ]
    return [(f"{path.name}-{number}", text) for number, (path, text) in enumerate(found)]


JSON = blocks("json")
REQUESTS = [(name, json.loads(text)["input"]) for name, text in JSON if '{"input"' in text]
REQUESTS.append(("test_input.json", json.loads((ROOT / "test_input.json").read_text())["input"]))
REQUESTS += [(each["name"], each["input"]) for each in json.loads((ROOT / ".runpod/tests.json").read_text())["tests"]]


@pytest.mark.parametrize(("name", "text"), JSON, ids=[name for name, _ in JSON])
def test_json_in_the_papers_is_json(name: str, text: str):
    assert json.loads(text)


@pytest.mark.parametrize("asked", [asked for _, asked in REQUESTS], ids=[name for name, _ in REQUESTS])
def test_a_request_in_the_papers_is_accepted(asked: dict[str, Any]):
    if "op" not in asked:
        assert SpeakRequest.parse(asked)
    assert asked.get("model", "hibari") in {entry.id for entry in table()}


@pytest.mark.parametrize("text", [text for _, text in blocks("python")])
def test_python_in_the_papers_compiles(text: str):
    assert ast.parse(text)


def test_the_generated_pages_are_what_the_code_says():
    assert stale() == []


def test_every_error_code_and_variable_is_in_its_page():
    errors, configuration = ((ROOT / "docs" / name).read_text() for name in ("errors.md", "configuration.md"))
    assert all(f"`{code}`" in errors for code in CODES)
    assert all(f"`{name}`" in configuration for name, _ in variables())


def test_the_table_of_models_names_each_that_is_not_hidden():
    listed = re.findall(r"^\| `([^`]+)` \|", models(), re.MULTILINE)
    assert {"hibari", "kokoro", "chatterbox"} <= set(listed)
    assert "tone" not in listed


@pytest.mark.parametrize(
    ("default", "written"),
    [
        (True, "`1`"),
        (False, "`0`"),
        (604_800, "`604800`"),
        (5.0, "`5`"),
        (("a", "b"), "`a,b`"),
        ((), "none"),
        (None, "none"),
    ],
)
def test_a_default_is_shown_as_the_environment_would_spell_it(default: object, written: str):
    assert shown(default) == written


def test_the_hub_asks_only_for_settings_that_exist_and_are_read():
    read = {name for name, _ in variables()}
    hub = json.loads((ROOT / ".runpod/hub.json").read_text())
    assert {entry["key"] for entry in hub["config"]["env"]} <= read


def test_the_read_me_begins_with_a_request_its_answer_and_a_command():
    lines = (ROOT / "README.md").read_text().splitlines()
    head = "\n".join(lines[:40])
    assert '{"input"' in head
    assert '"audio"' in head
    assert "make run" in head
    assert len(lines) < 200
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) < 80


@pytest.mark.parametrize("paper", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_is_short_and_says_what_was_rejected(paper: Path):
    text = paper.read_text()
    assert len(text.splitlines()) < 40
    assert "Rejected:" in text
    assert "Consequences:" in text
    assert text.startswith(f"# {int(paper.name[:4])}. ")
