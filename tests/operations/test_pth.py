"""Chatterbox's own file of a voice. Upstream is not in this environment: a package of its shape stands in for it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.settings import Settings
from operations import pth
from tests.voices.speaking import RATE, sentence

UPSTREAM = """
from pathlib import Path
class Conditionals:
    def __init__(self, heard): self.heard = heard
    def save(self, path): Path(path).write_bytes(self.heard)
class ChatterboxTTS:
    @classmethod
    def from_local(cls, place, device):
        assert (Path(place) / "ve.safetensors").is_file() and device == "cpu"
        return cls()
    def prepare_conditionals(self, path):
        self.conds = Conditionals(Path(path).read_bytes()[:4])
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    place = tmp_path / "weights" / "chatterbox"
    place.mkdir(parents=True)
    return Settings.read({"WEIGHTS_DIR": str(place.parent), "MODEL_CACHE_DIR": str(place.parent)})


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in (("torch/__init__.py", ""), ("chatterbox/__init__.py", ""), ("chatterbox/tts.py", UPSTREAM)):
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("chatterbox", "torch")]:
        del sys.modules[name]


def test_without_upstream_it_is_refused_by_the_packages_names(settings: Settings) -> None:
    with pytest.raises(Failure, match="torch and chatterbox-tts") as told:
        pth.check(settings)
    assert told.value.code == "not_installed"


@pytest.mark.usefixtures("upstream")
def test_without_weights_it_is_refused_before_any_work(settings: Settings) -> None:
    with pytest.raises(Failure) as told:
        pth.check(settings)
    assert told.value.code == "weights_missing"


@pytest.mark.usefixtures("upstream")
def test_upstream_hears_the_recording_and_writes_the_file_whole(settings: Settings, tmp_path: Path) -> None:
    (settings.weights / "chatterbox" / "ve.safetensors").write_bytes(b"x")
    into = tmp_path / "alice.pth"
    pth.write(sentence(0), RATE, into, settings.weights / "chatterbox")
    assert into.read_bytes() == b"fLaC"
    with pytest.raises(Failure) as told:
        pth.write(sentence(0), RATE, tmp_path / "nowhere" / "alice.pth", settings.weights / "chatterbox")
    assert told.value.code == "storage_failed"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
