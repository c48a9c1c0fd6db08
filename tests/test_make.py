import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HANDLER = "import json, os, pathlib, sys; pathlib.Path('heard').write_text(json.dumps([sys.argv, os.getenv('MODEL')]))"
AWKWARD = 'it\'s "5$" at 100%, $(HOME) ${HOME} `id` \\n & ; | <b> # «déjà» 你好 👋'


@pytest.mark.parametrize("text", [AWKWARD, "--voice", "two\nlines"])
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_make_hands_any_text_through_untouched(tmp_path: Path, way: str, text: str):
    """Quotes, dollars, backquotes and scripts: make and the shell both love to read them."""
    (tmp_path / "handler.py").write_text(HANDLER)
    given = [f"TEXT={text}"] if way == "argument" else []
    environment = {**os.environ, "TEXT": text}
    command = [
        "make",
        "-f",
        str(ROOT / "Makefile"),
        "run",
        "PYTHON=true",
        f"VENV={sys.executable}",
        "MODEL=kokoro",
        *given,
    ]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    arguments, model = json.loads((tmp_path / "heard").read_text())
    assert arguments == ["handler.py", f"--text={text}", "--voice=", "--model=kokoro", "--format="]
    assert model is None


def test_make_alone_lists_the_commands_with_what_they_do():
    done = subprocess.run(("make", "-C", str(ROOT)), capture_output=True, text=True, check=True)
    for command in ("run", "serve", "quick", "test", "engines", "check", "bench", "soak", "image", "help"):
        assert f"make {command} " in done.stdout


def test_an_image_of_a_group_without_an_engine_is_refused_before_docker_is_asked():
    done = subprocess.run(("make", "-C", str(ROOT), "image", "GROUP=nobody"), capture_output=True, text=True)
    assert done.returncode != 0
    assert "no group `nobody`" in done.stderr or "docker is not on this machine" in done.stdout
