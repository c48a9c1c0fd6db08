from pathlib import Path

import pytest

from basics.errors import Failure
from store.cached import COPIES, Cached
from store.folder import Folder


class Counting(Folder):
    """A first place that is far away: its reads are counted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads = 0

    def get(self, key: str, limit_bytes: int | None = None) -> tuple[bytes, str]:
        self.reads += 1
        return super().get(key, limit_bytes)


def places(folder: Path) -> tuple[Cached, Counting, Folder]:
    first, second = Counting(folder / "first"), Folder(folder / "second")
    return Cached(first, second, lambda key: not key.endswith(".json")), first, second


def test_what_was_read_once_is_read_from_the_second_place(tmp_path):
    store, first, _ = places(tmp_path)
    etag = store.put("a.flac", b"sound")
    assert store.get("a.flac") == store.get("a.flac") == (b"sound", etag)
    assert first.reads == 1


def test_another_process_finds_the_copies(tmp_path):
    store, _, _ = places(tmp_path)
    store.put("a.flac", b"sound")
    store.get("a.flac")
    again, first, _ = places(tmp_path)
    assert [entry.key for entry in again.list()] == ["a.flac"]
    assert again.get("a.flac")[0] == b"sound"
    assert first.reads == 0


def test_an_old_copy_is_not_taken_for_a_new_object(tmp_path):
    store, first, second = places(tmp_path)
    store.put("a.flac", b"old")
    store.get("a.flac")
    first.put("a.flac", b"new")
    list(store.list())
    assert store.get("a.flac")[0] == b"new"
    assert len(list(second.list())) == 1


def test_what_is_not_to_be_copied_is_always_read_anew(tmp_path):
    store, first, second = places(tmp_path)
    store.put("voice.json", b"1")
    store.get("voice.json")
    first.put("voice.json", b"2")
    assert store.get("voice.json")[0] == b"2"
    assert list(second.list()) == []


def test_what_lies_in_the_second_place_alone_does_not_exist(tmp_path):
    store, _, second = places(tmp_path)
    second.put("b.flac", b"sound")
    assert list(store.list()) == []
    with pytest.raises(Failure, match="no stored file"):
        store.get("b.flac")


def test_copies_go_with_their_objects(tmp_path):
    store, first, second = places(tmp_path)
    for name in ("a", "b", "c"):
        store.put(name, name.encode())
        store.get(name)
    store.delete("a")
    first.delete("b")
    list(store.list())
    assert [entry.key.partition("@")[0] for entry in second.list()] == [f"{COPIES}/c"]


def test_copies_of_what_went_while_nobody_looked_are_swept(tmp_path):
    store, first, _ = places(tmp_path)
    store.put("a", b"a")
    store.get("a")
    first.delete("a")
    again, _, second = places(tmp_path)
    assert list(again.list()) == []
    assert list(second.list()) == []


def test_a_second_place_that_fails_only_costs_time(tmp_path):
    (tmp_path / "second").write_text("a file where a folder should be")
    store, first, _ = places(tmp_path)
    store.put("a", b"a")
    assert store.get("a")[0] == store.get("a")[0] == b"a"
    assert first.reads == 2
