import subprocess
import sys

import pytest

from builder.engines import built, chosen, main, one_an_environment
from builder.environment import ROOT
from builder.groups import NotBuilt, locked
from models import groups
from models.environments import ENVIRONMENTS


def test_every_model_is_of_a_group_with_an_environment_and_no_group_is_empty():
    assert {entry.group for entry in groups.table()} == set(ENVIRONMENTS)


def test_the_table_of_environments_is_read_without_anything_installed():
    bare = (sys.executable, "-S", "-m", "builder.groups", "embedded")
    assert subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "embedded\n"


def test_every_group_with_an_engine_has_a_lock():
    spoken = {entry.group for entry in groups.table() if entry.engine is not None}
    assert spoken <= set(locked())
    assert "embedded" in built()


def test_all_names_the_groups_that_have_no_engine(capsys: pytest.CaptureFixture[str]):
    assert chosen("all") == built()
    said = capsys.readouterr().out
    assert all(group in said for group in ENVIRONMENTS if group not in built())


def test_a_group_without_an_engine_says_so_and_fails(capsys: pytest.CaptureFixture[str]):
    without = [group for group in ENVIRONMENTS if group not in built()]
    for group in without:
        assert main([group]) == 1
        assert f"`{group}`" in capsys.readouterr().out
        assert main(["--built", group]) == 1
        capsys.readouterr()


def test_asking_for_no_group_is_refused():
    with pytest.raises(NotBuilt):
        chosen("")


def test_a_built_group_passes_the_images_question():
    assert main(["--built", "embedded"]) == 0


def test_groups_of_one_environment_are_tested_in_one_run():
    assert one_an_environment(("embedded", "cloning", "pocket", "kokoro")) == ("embedded", "cloning", "pocket")
