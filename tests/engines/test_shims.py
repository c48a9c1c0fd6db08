"""The environment's libraries import without what they only think they need. Each in a process of its own."""

import subprocess
import sys

import pytest

from builder.environment import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

LIBRARIES = (
    "f5_tts.model",
    "vocos",
    "chatterbox.tts, chatterbox.mtl_tts, chatterbox.tts_turbo, chatterbox.vc",
    "TTS.tts.models.xtts",
)


def run(code: str) -> str:
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        (sys.executable, "-W", "ignore", "-c", code), cwd=ROOT, env=offline, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_imports_and_leaves_no_stand_in_behind(library: str):
    code = f"""
import sys
from models.engines.shims import _NAMES, stand_ins
with stand_ins():
    import {library}
print([name for name in _NAMES if name in sys.modules])
"""
    assert run(code) == "[]\n"


def test_the_watermarker_is_really_there():
    code = """
from models.engines.shims import stand_ins
with stand_ins():
    import perth
perth.PerthImplicitWatermarker()
"""
    run(code)


def test_what_stands_in_for_a_class_cannot_be_made():
    code = """
from models.engines.shims import stand_ins
with stand_ins():
    from accelerate import Accelerator
try:
    Accelerator()
except RuntimeError as error:
    print(error)
"""
    assert "Accelerator" in run(code)


def test_a_library_that_is_installed_is_not_replaced():
    code = """
import torch
from models.engines.shims import stand_ins
with stand_ins():
    import torch as again
assert again is torch and torch.tensor(1).item() == 1
"""
    run(code)


def test_a_module_of_a_hollow_package_brings_nothing_of_the_others():
    code = """
import sys
from models.engines.shims import hollow
from models.engines.xtts_text import PACKAGES
with hollow(*PACKAGES):
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
print(VoiceBpeTokenizer().char_limits["en"], [name for name in ("TTS", "trainer", "librosa") if name in sys.modules])
"""
    assert run(code) == "250 []\n"


def test_a_hollow_package_that_is_not_installed_is_missed_by_its_name():
    code = """
from models.engines.shims import hollow
try:
    with hollow("nowhere_at_all"):
        pass
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code) == "nowhere_at_all\n"
