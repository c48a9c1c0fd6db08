import sys
from pathlib import Path

import pytest

from builder import environment


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks that need no index: an empty one installs nothing."""
    folder = tmp_path / "locks"
    folder.mkdir()
    (folder / "small.txt").write_text("# nothing\n")
    monkeypatch.setattr(environment, "LOCKS", folder)
    return folder


@pytest.mark.slow
def test_making_an_environment_twice_is_quick_the_second_time(locks: Path, tmp_path: Path, capfd):
    environment.make("small", tmp_path / "venv")
    assert "Making" in capfd.readouterr().err
    environment.make("small", tmp_path / "venv")
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_another_lock_makes_the_environment_anew(locks: Path, tmp_path: Path):
    place = environment.make("small", tmp_path / "venv")
    (place / "left-behind").touch()
    (locks / "small.txt").write_text("# still nothing\n")
    environment.make("small", place)
    assert not (place / "left-behind").exists()


def test_an_environment_that_was_never_finished_is_made_anew(locks: Path, tmp_path: Path):
    half = tmp_path / "venv"
    (half / "bin").mkdir(parents=True)
    assert environment.stale(half)


@pytest.mark.slow
def test_a_lock_that_cannot_be_installed_leaves_no_stamp(locks: Path, tmp_path: Path, capfd):
    (locks / "small.txt").write_text("a-package-without-a-hash==1.0\n")
    with pytest.raises(environment.Unfit, match=r"small\.txt"):
        environment.make("small", tmp_path / "venv")
    assert environment.stale(tmp_path / "venv")


def test_a_python_that_a_package_refuses_is_named_before_anything_is_made(monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.setattr(environment, "NEWEST", (3, 10))
    assert environment.main("dev") == 1
    assert sys.version.split()[0] in capfd.readouterr().err


def test_embedded_and_the_tests_share_one_environment():
    assert environment.folder("embedded") == environment.folder("dev")
    assert environment.folder("modern").parent.name == ".venvs"


def test_what_a_lock_brings_too_much_is_taken_out(locks: Path, tmp_path: Path):
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    (packages / "sound").mkdir(parents=True)
    (packages / "sound" / "linked.so").touch()
    (packages / "sound" / "wanted.py").touch()
    (locks / "small.without").write_text("# Linked against another torch.\nsound/linked.so\n")
    environment.take_out(tmp_path / "venv", "small")
    assert [file.name for file in (packages / "sound").iterdir()] == ["wanted.py"]


def test_what_is_to_be_taken_out_and_never_came_is_named(locks: Path, tmp_path: Path):
    (locks / "small.without").write_text("sound/linked.so\n")
    with pytest.raises(environment.Unfit, match=r"sound/linked\.so"):
        environment.take_out(tmp_path / "venv", "small")


def test_another_list_of_what_is_taken_out_makes_the_environment_anew(locks: Path):
    before = environment.digest("small")
    (locks / "small.without").write_text("sound/linked.so\n")
    assert environment.digest("small") != before


def test_torch_for_tests_and_torch_for_cards_have_an_environment_each():
    assert environment.folder("modern") != environment.folder("modern-cuda")
    assert environment.LAYERS["modern"][0] == environment.LAYERS["modern-cuda"][0]
