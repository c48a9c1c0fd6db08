import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.job import job

ROOT = Path(__file__).parent.parent.parent
SAMPLE = {"input": {"text": "Hello.", "voice": "a"}}
AWKWARD = 'it\'s "5$" at 100%, $(HOME) ${HOME} `id` \\n & ; | <b> # «déjà» 你好 👋'


def test_what_was_given_replaces_the_sample_and_the_rest_stays():
    assert job({"text": "Bye.", "voice": "", "format": "mp3"}, SAMPLE) == {
        "input": {"text": "Bye.", "voice": "a", "format": "mp3"}
    }


def test_a_text_takes_the_place_of_turns():
    assert job({"text": "Bye."}, {"input": {"turns": [{"text": "Hi."}]}}) == {"input": {"text": "Bye."}}


@pytest.mark.parametrize("text", [AWKWARD, "--voice", "two\nlines"])
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_make_hands_any_text_through_untouched(tmp_path: Path, way: str, text: str):
    """Quotes, dollars, backquotes and scripts: make and the shell both love to read them."""
    handler = "import json, pathlib, sys; pathlib.Path('heard').write_text(json.loads(sys.argv[2])['input']['text'])"
    (tmp_path / "handler.py").write_text(handler)
    (tmp_path / "test_input.json").write_text(json.dumps(SAMPLE))
    (tmp_path / "builder").mkdir()
    for name in ("__init__.py", "job.py"):
        shutil.copy(ROOT / "builder" / name, tmp_path / "builder" / name)
    given = [f"TEXT={text}"] if way == "argument" else []
    environment = {**os.environ, "TEXT": text}
    command = ["make", "-f", str(ROOT / "Makefile"), "run", "PYTHON=true", f"VENV={sys.executable}", *given]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "heard").read_text() == text
