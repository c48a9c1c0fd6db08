from pathlib import Path

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models.engines.tone import Tone
from models.groups import Entry, File
from models.hub import Hub
from models.weights import LICENCE, cached, fetch, find, is_whole, obtain
from tests.hub import COMMIT, FakeHub, serving

FILES = {"org/Voice/model.onnx": b"m" * 5000, "org/Voice/config.json": b"{}", "org/Voice/LICENSE": b"free"}


def entry(**changed: object) -> Entry:
    return Entry(**{"id": "voice", "group": "embedded", "engine": Tone, "repository": "org/Voice", **changed})  # type: ignore[arg-type]


def settings(tmp_path: Path, **changed: object) -> Settings:
    return Settings.model_validate(
        {"weights_dir": tmp_path / "weights", "model_cache_dir": tmp_path / "cache", **changed}
    )


def snapshot(root: Path, commit: str, main: str = "") -> Path:
    folder = root / "models--org--voice"
    place = folder / "snapshots" / commit
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(b"m")
    if main:
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_text(main)
    return place


def test_the_first_place_that_holds_the_model_whole_is_taken(tmp_path: Path) -> None:
    pinned = entry(files=(File("model.onnx", 1),))
    places = [tmp_path / "cache" / "voice", snapshot(tmp_path / "platform", "abc"), tmp_path / "weights" / "voice"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "model.onnx").write_bytes(b"m")
        assert find(pinned, settings(tmp_path), tmp_path / ("platform" if place != places[0] else "none")) == place


def test_a_file_of_the_wrong_size_does_not_count(tmp_path: Path) -> None:
    place = tmp_path / "weights" / "voice"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(b"half")
    with pytest.raises(Failure, match=r"fetch_weights --group embedded --model voice") as error:
        find(entry(files=(File("model.onnx", 5000),)), settings(tmp_path), tmp_path / "none")
    assert error.value.code == "weights_missing"
    assert str(tmp_path) not in error.value.message


def test_an_engine_with_weights_in_its_package_needs_no_folder(tmp_path: Path) -> None:
    inside = entry(files=(File("voices/more.onnx", optional=True),))
    assert find(inside, settings(tmp_path)) == tmp_path / "weights" / "voice"


def test_one_precision_of_several_is_enough_and_the_asked_one_is_needed(tmp_path: Path) -> None:
    both = entry(files=(File("a.onnx", dtype="int8"), File("b.onnx", dtype="fp32"), File("voices.bin")))
    place = tmp_path / "weights" / "voice"
    place.mkdir(parents=True)
    (place / "b.onnx").touch()
    assert not is_whole(place, both)
    (place / "voices.bin").touch()
    assert is_whole(place, both)
    assert is_whole(place, both, "fp32")
    assert not is_whole(place, both, "int8")


def test_the_platforms_snapshot_is_the_pinned_one_then_mains(tmp_path: Path) -> None:
    old, new = snapshot(tmp_path, "old"), snapshot(tmp_path, "new", main="new")
    assert cached(entry(revision="old"), tmp_path) == old
    assert cached(entry(revision="gone"), tmp_path) == new
    assert cached(entry(repository="org/other"), tmp_path) is None


def test_what_is_nowhere_is_asked_of_the_hub_once_and_kept(tmp_path: Path) -> None:
    with serving(FakeHub(dict(FILES))) as fake:
        asked = settings(tmp_path, hf_endpoint=f"{fake.address}/")
        place = obtain(entry(wanted=("*.onnx",)), asked, platform_cache=tmp_path / "none")
        calls = len(fake.seen)
        assert obtain(entry(wanted=("*.onnx",)), asked, platform_cache=tmp_path / "none") == place
        assert len(fake.seen) == calls
    assert place == tmp_path / "cache" / "voice"
    assert (place / "model.onnx").read_bytes() == FILES["org/Voice/model.onnx"]
    assert (place / "LICENSE").read_bytes() == b"free"
    assert not (place / "config.json").exists()
    assert COMMIT in (place / LICENCE).read_text()


def test_a_fetch_that_failed_half_way_does_not_count_as_whole(tmp_path: Path) -> None:
    with serving(FakeHub(dict(FILES), statuses={"org/Voice/config.json": [403]})) as fake:
        hub = Hub(fake.address)
        with pytest.raises(Failure):
            fetch(entry(), tmp_path / "cache" / "voice", hub)
        assert not is_whole(tmp_path / "cache" / "voice", entry())
        fetch(entry(), tmp_path / "cache" / "voice", hub)
    assert is_whole(tmp_path / "cache" / "voice", entry())


def test_a_listed_name_that_climbs_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    with serving(FakeHub({"org/Voice/../../evil": b"x", "org/Voice/model.onnx": b"m"})) as fake:
        fetch(entry(), tmp_path / "a" / "b", Hub(fake.address))
    assert not list(tmp_path.rglob("evil"))
