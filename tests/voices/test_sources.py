import base64
import threading
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.settings import Settings
from store.folder import Folder
from voices.fetching import Fetching
from voices.sources import Places, Shelf, Source, collect, sources

NEVER = threading.Event()


def refused(given: object) -> Failure:
    with pytest.raises(Failure) as caught:
        sources(given, "voice.reference")
    return caught.value


def test_each_form_is_told_from_the_others() -> None:
    kinds = [
        one.kind
        for one in sources(["https://a.example/x", "S3://b/k", "volume:a.wav", "data:audio/wav;base64,AAAA", "A" * 300])
    ]
    assert kinds == ["web", "s3", "volume", "base64", "base64"]


def test_base64_that_begins_with_a_slash_as_mp3_does_is_no_path() -> None:
    given = base64.b64encode(b"\xff\xfb" + bytes(400)).decode()
    assert given.startswith("//")
    assert collect(sources(given)[0], Places(), NEVER) == b"\xff\xfb" + bytes(400)


@pytest.mark.parametrize("path", ["/voices/alice.wav", "./a.wav", "~/a", "alice", "file:///a.wav", "C:\\a.wav"])
def test_what_looks_like_a_path_is_refused_with_the_word_that_helps(path: str) -> None:
    found = refused(path)
    assert found.code == "reference_refused"
    assert found.hint is not None
    assert "volume:" in found.hint
    assert path not in f"{found.message}{found.hint}"


def test_a_fault_in_a_list_names_its_place() -> None:
    assert refused(["volume:a.wav", "/etc/passwd"]).field == "voice.reference[1]"
    assert refused(["volume:a.wav", 7]).field == "voice.reference[1]"


def test_a_file_of_the_volume_is_read_by_its_path_below_the_root_or_in_full(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    places = Places(volume=tmp_path)
    for path in ("a.wav", str(tmp_path / "a.wav")):
        assert collect(Source("volume", path, "reference"), places, NEVER) == b"sound"


def test_without_a_volume_the_caller_is_told_so() -> None:
    with pytest.raises(Failure, match="no volume"):
        collect(Source("volume", "a.wav", "reference"), Places(), NEVER)


def test_a_volume_that_is_itself_a_link_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").write_bytes(b"sound")
    (tmp_path / "mounted").symlink_to("real")
    assert collect(Source("volume", "a.wav", "reference"), Places(volume=tmp_path / "mounted"), NEVER) == b"sound"


def test_the_shelf_that_holds_the_key_is_asked_for_what_lies_below_its_prefix(tmp_path: Path) -> None:
    own, jobs = Folder(tmp_path / "own"), Folder(tmp_path / "jobs")
    own.put("alice.wav", b"own")
    jobs.put("deep/alice.wav", b"job's")
    places = Places(shelves=(Shelf("ours", "voices", own), Shelf("theirs", "", jobs)))
    assert collect(Source("s3", "ours/voices/alice.wav", "reference"), places, NEVER) == b"own"
    assert collect(Source("s3", "theirs/deep/alice.wav", "reference"), places, NEVER) == b"job's"


def test_a_stored_file_over_the_limit_is_too_large(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("alice.wav", bytes(2000))
    places = Places(Fetching(most_bytes=1000), shelves=(Shelf("ours", "", folder),))
    with pytest.raises(Failure) as caught:
        collect(Source("s3", "ours/alice.wav", "voice.reference"), places, NEVER)
    assert (caught.value.code, caught.value.field) == ("reference_too_large", "voice.reference")


def test_base64_and_files_obey_the_same_limit(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(bytes(2000))
    places = Places(Fetching(most_bytes=1000), tmp_path)
    for source in sources([base64.b64encode(bytes(1001)).decode(), "volume:a.wav"]):
        with pytest.raises(Failure) as caught:
            collect(source, places, NEVER)
        assert caught.value.code == "reference_too_large"


def test_settings_set_the_limits() -> None:
    places = Places.of(Settings.read({"REFERENCE_MB": "2", "ALLOW_HOSTS": "inner.example"}))
    assert places.fetching.most_bytes == 2_000_000
    assert places.fetching.allow_hosts == ("inner.example",)
