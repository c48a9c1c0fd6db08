import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basics.errors import Failure
from store.folder import Folder
from store.objects import Conflict, checked

ROOT = Path(__file__).parents[2]


class CancelledAfter:
    def __init__(self, askings):
        self.left = askings

    def is_set(self):
        self.left -= 1
        return self.left < 0


def refused(call, *arguments, **named):
    with pytest.raises(Failure) as caught:
        call(*arguments, **named)
    return caught.value


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_was_put_is_given_back_with_its_etag(tmp_path):
    folder = Folder(tmp_path / "new")
    etag = folder.put("a/b.bin", b"sound")
    assert folder.get("a/b.bin") == (b"sound", etag)
    assert folder.local_path("a/b.bin").read_bytes() == b"sound"


def test_a_file_is_copied_and_stays_where_it_was(tmp_path):
    (tmp_path / "made").write_bytes(b"from disk")
    folder = Folder(tmp_path / "kept")
    folder.put("a", tmp_path / "made")
    assert folder.get("a")[0] == (tmp_path / "made").read_bytes()


def test_an_empty_store_lists_nothing_and_has_nothing(tmp_path):
    folder = Folder(tmp_path / "never-made")
    assert list(folder.list()) == []
    assert folder.local_path("a") is None
    assert refused(folder.get, "a").code == "not_found"
    folder.delete("a/b")
    assert not (tmp_path / "never-made").exists()


def test_listing_is_by_prefix_in_order_of_keys(tmp_path):
    folder = Folder(tmp_path)
    for key in ["voices/b/x", "voices/b-1", "voices/a/x", "other"]:
        folder.put(key, b"12345")
    assert [entry.key for entry in folder.list("voices/")] == ["voices/a/x", "voices/b-1", "voices/b/x"]
    assert [entry.key for entry in folder.list("voices/b")] == ["voices/b-1", "voices/b/x"]
    assert len(list(folder.list())) == 4


def test_listing_tells_the_same_etag_as_reading_and_notices_changes(tmp_path):
    folder = Folder(tmp_path)
    for data in (b"one", b"two"):
        etag = folder.put("a", data)
        os.utime(tmp_path / "a", (1_700_000_000, 1_700_000_000))
        (entry,) = folder.list()
        assert (entry.etag, entry.size, entry.modified) == (etag, 3, 1_700_000_000)
        assert next(folder.list()) == entry


def test_a_file_that_someone_just_put_there_is_found(tmp_path):
    (tmp_path / "alice.wav").write_bytes(b"x")
    assert [entry.key for entry in Folder(tmp_path).list()] == ["alice.wav"]


def test_deleting_takes_empty_directories_along_and_nothing_else(tmp_path):
    folder = Folder(tmp_path / "root")
    folder.put("a/b/c", b"x")
    folder.put("a/d", b"x")
    folder.delete("a/b/c")
    folder.delete("a/b/c")
    assert everything(tmp_path) == ["root", "root/a", "root/a/d"]
    folder.delete("a/d")
    assert everything(tmp_path) == ["root"]


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "a\x00b", "a\\..\\b", "a\nb"),
        *("x" * 256, "/".join("x" * 200 for _ in range(6)), "a/b.part", "\ud800"),
    ],
)
def test_keys_that_lead_elsewhere_are_refused_everywhere(tmp_path, key):
    (tmp_path / "x").write_bytes(b"secret")
    folder = Folder(tmp_path / "root")
    for call in (folder.get, folder.delete, folder.local_path, lambda key: folder.put(key, b"y")):
        assert refused(call, key).code == "reference_refused"
    assert everything(tmp_path) == ["x"]


@given(st.text(alphabet="ab./\\\x00~:", max_size=12))
def test_no_checked_key_names_a_parent(key):
    try:
        kept = checked(key)
    except Failure:
        return
    assert os.path.normpath(kept) == kept
    assert not kept.startswith("/")
    assert ".." not in kept.split("/")


def test_links_that_leave_the_folder_are_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside" / "secret")
    folder = Folder(root)
    for call in (folder.get, folder.local_path):
        assert refused(call, "away/secret").code == "reference_refused"
        assert refused(call, "file").code == "reference_refused"
    assert refused(folder.put, "away/new", b"x").code == "reference_refused"
    assert refused(folder.delete, "away/secret").code == "reference_refused"
    assert list(folder.list()) == []
    folder.put("file", b"mine")
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"
    assert folder.get("file")[0] == b"mine"


def test_links_inside_the_folder_and_a_linked_root_are_followed(tmp_path):
    real = Folder(tmp_path / "real")
    real.put("a", b"x")
    (tmp_path / "real" / "b").symlink_to("a")
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert Folder(tmp_path / "root").get("b")[0] == b"x"


def test_of_64_racing_writers_exactly_one_makes_the_file(tmp_path):
    start = threading.Barrier(64)

    def write(number):
        start.wait()
        try:
            Folder(tmp_path).put("a/race", str(number).encode(), if_absent=True)
        except Conflict:
            return None
        return number

    with ThreadPoolExecutor(64) as pool:
        won = [number for number in pool.map(write, range(64)) if number is not None]
    assert [str(number).encode() for number in won] == [Folder(tmp_path).get("a/race")[0]]
    assert everything(tmp_path) == ["a", "a/race"]


def test_counting_by_condition_loses_no_step(tmp_path):
    Folder(tmp_path).put("count", b"0")

    def count(_):
        folder = Folder(tmp_path)
        while True:
            data, etag = folder.get("count")
            try:
                return folder.put("count", str(int(data) + 1).encode(), if_match=etag)
            except Conflict:
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert Folder(tmp_path).get("count")[0] == b"40"


def test_a_condition_on_a_file_that_is_not_there_does_not_hold(tmp_path):
    with pytest.raises(Conflict):
        Folder(tmp_path).put("a", b"x", if_match="etag")
    assert list(Folder(tmp_path).list()) == []


def test_readers_see_one_writer_s_file_whole(tmp_path):
    folder, size, stop = Folder(tmp_path), 200_000, threading.Event()
    folder.put("a", bytes(size))

    def write(number):
        while not stop.is_set():
            folder.put("a", bytes([number]) * size)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in (1, 2, 3)]
        try:
            for _ in range(50):
                data = folder.get("a")[0]
                assert data == data[:1] * size
        finally:
            stop.set()
        for writer in writers:
            writer.result()
    assert everything(tmp_path) == ["a"]


def test_puts_beside_deletes_of_the_same_directory_all_succeed(tmp_path):
    folder = Folder(tmp_path)

    def churn(number):
        for _ in range(25):
            folder.put(f"deep/er/{number}", b"x")
            folder.delete(f"deep/er/{number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(churn, range(6)))
    assert everything(tmp_path) == []


def test_a_cancelled_put_leaves_the_old_file_and_no_rest(tmp_path):
    folder = Folder(tmp_path)
    folder.put("a", b"old")
    for askings in (0, 1, 3):
        assert refused(folder.put, "a", bytes(3 << 20), cancel=CancelledAfter(askings)).code == "cancelled"
    assert folder.get("a")[0] == b"old"
    assert everything(tmp_path) == ["a"]


def test_more_than_the_limit_is_not_taken_in(tmp_path):
    folder = Folder(tmp_path)
    folder.put("a", bytes(1001))
    assert refused(folder.get, "a", limit_bytes=1000).code == "reference_too_large"
    assert len(folder.get("a", limit_bytes=1001)[0]) == 1001


def test_a_folder_gives_no_urls_and_says_what_does(tmp_path):
    failure = refused(Folder(tmp_path).presign, "a", 60)
    assert failure.code == "not_supported"
    assert "BUCKET_" in failure.hint


def test_a_folder_that_cannot_be_made_fails_without_naming_paths(tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    failure = refused(Folder(tmp_path / "taken" / "sub").put, "a", b"x")
    assert failure.code == "storage_failed"
    assert str(tmp_path) not in str(failure.as_dict())


def test_a_directory_or_a_pipe_is_no_stored_file(tmp_path):
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    folder = Folder(tmp_path)
    assert refused(folder.get, "directory").code == "not_found"
    assert refused(folder.get, "pipe").code == "not_found"
    assert list(folder.list()) == []
    folder.delete("directory")
    assert refused(folder.put, "directory", b"x").code == "storage_failed"
    assert everything(tmp_path) == ["directory", "pipe"]


FULL = """
import resource, signal, sys
from pathlib import Path
from basics.errors import Failure
from store.folder import Folder

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Folder(Path(sys.argv[1])).put("a", bytes(200_000))
except Failure as failure:
    print(failure)
"""


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path):
    """The system refuses to write on past a limit on a file's size: what a full disk does, without a disk to fill."""
    Folder(tmp_path).put("a", b"old")
    ran = subprocess.run([sys.executable, "-c", FULL, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("storage_failed: The disk of the folder is full")
    assert everything(tmp_path) == ["a"]
    assert Folder(tmp_path).get("a")[0] == b"old"


def test_a_full_tmpfs_is_told_and_leaves_nothing_half_written(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        assert "full" in refused(Folder(tmp_path).put, "a/b", bytes(100_000)).message
        assert list(Folder(tmp_path).list()) == []
        Folder(tmp_path).put("a/b", bytes(10_000))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_file_that_goes_while_it_is_found_was_not_there(tmp_path):
    class Vanishing(Folder):
        def _found(self, key):
            path = super()._found(key)
            path.unlink()
            return path

    store = Vanishing(tmp_path)
    store.put("a", b"x")
    with pytest.raises(Failure) as caught:
        store.get("a")
    assert caught.value.code == "not_found"
