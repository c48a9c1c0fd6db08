import subprocess
import sys
from pathlib import Path

from operations.healthcheck import main

ROOT = Path(__file__).parent.parent.parent


def test_the_check_passes_while_the_file_is_fresh_and_fails_without_it(tmp_path: Path):
    file = tmp_path / "beat"
    assert main([str(file)]) == 1
    file.touch()
    assert main([str(file)]) == 0


def test_a_check_without_a_file_to_look_at_fails():
    assert main([]) == 1


def test_the_check_is_light_enough_to_run_every_half_minute():
    code = "import sys, operations.healthcheck; print(sorted({'numpy', 'pydantic', 'runpod'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
