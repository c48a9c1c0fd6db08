import pytest

from builder.groups import NotBuilt, environment, locked, main
from models.environments import ENVIRONMENTS


def test_the_embedded_group_can_be_built():
    assert environment("embedded") == "embedded"
    assert "embedded" in locked()


def test_an_unknown_group_is_refused_with_the_groups_there_are():
    with pytest.raises(NotBuilt, match=r"no group `clonign`.*cloning"):
        environment("clonign")


def test_groups_of_two_environments_do_not_make_one_image():
    with pytest.raises(NotBuilt, match="names 2"):
        environment("embedded,qwen")


@pytest.mark.parametrize("none", ["", " , "])
def test_no_group_at_all_is_refused(none: str):
    with pytest.raises(NotBuilt, match="must name"):
        environment(none)


def test_a_group_without_a_lock_is_refused_with_what_can_be_built(capsys: pytest.CaptureFixture[str]):
    absent = next((group for group in ENVIRONMENTS if group not in locked()), None)
    if absent is None:
        pytest.skip("every group has a lock")
    assert main(absent) == 1
    assert f"`{absent}`" in (said := capsys.readouterr().err)
    assert "embedded" in said
