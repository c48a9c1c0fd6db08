from pathlib import Path

from models.ahead import BLOCK_BYTES, read_ahead


def test_files_are_read_to_their_end_and_the_thread_ends_with_them(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(BLOCK_BYTES + 5))
    thread = read_ahead([whole])
    thread.join(timeout=30)
    assert not thread.is_alive()


def test_what_cannot_be_read_is_nobodys_trouble_yet(tmp_path: Path) -> None:
    thread = read_ahead([tmp_path / "absent", tmp_path])
    thread.join(timeout=30)
    assert not thread.is_alive()
