from hashlib import sha256
from pathlib import Path

import pytest

from basics.errors import Failure
from models.hub import Hub, checksum
from tests.hub import COMMIT, FakeHub, serving

DATA = bytes(range(256)) * 400
KEY = "org/voice/model.onnx"
SUM = sha256(DATA).hexdigest()


def hub(fake: FakeHub, token: str = "") -> Hub:
    return Hub(fake.address, token, patience=5, pause=lambda seconds: None)


def address(fake: FakeHub, path: str = "model.onnx") -> str:
    return hub(fake).address("org/voice", COMMIT, path)


def test_a_file_that_broke_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with serving(FakeHub({KEY: DATA}, cuts={KEY: [1000, 5000]})) as fake:
        hub(fake).fetch(address(fake), tmp_path / "model.onnx", len(DATA), SUM)
        assert [asked for _, asked, _ in fake.seen] == ["", "bytes=1000-", "bytes=6000-"]
    assert (tmp_path / "model.onnx").read_bytes() == DATA
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_a_part_left_by_an_earlier_run_is_completed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(DATA[:7000])
    with serving(FakeHub({KEY: DATA})) as fake:
        hub(fake).fetch(address(fake), tmp_path / "model.onnx", sha256=SUM)
        assert fake.seen[0][1] == "bytes=7000-"
    assert checksum(tmp_path / "model.onnx") == SUM


def test_a_part_longer_than_the_file_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "model.onnx.part").write_bytes(DATA + b"more")
    with serving(FakeHub({KEY: DATA})) as fake:
        hub(fake).fetch(address(fake), tmp_path / "model.onnx", len(DATA), SUM)
    assert (tmp_path / "model.onnx").read_bytes() == DATA


@pytest.mark.parametrize(("size", "sum"), [(len(DATA), "0" * 64), (len(DATA) + 1, "")])
def test_a_file_of_another_checksum_or_size_is_refused_and_removed(tmp_path: Path, size: int, sum: str) -> None:
    with serving(FakeHub({KEY: DATA})) as fake:
        with pytest.raises(Failure, match="another size or checksum") as error:
            hub(fake).fetch(address(fake), tmp_path / "model.onnx", size, sum)
    assert error.value.code == "weights_missing"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_says_so_at_once(tmp_path: Path) -> None:
    with serving(FakeHub({})) as fake:
        with pytest.raises(Failure, match=r"model\.onnx is not where it should be \(404\)"):
            hub(fake).fetch(address(fake), tmp_path / "model.onnx")
        assert len(fake.seen) == 1


def test_a_gated_file_names_the_token(tmp_path: Path) -> None:
    with serving(FakeHub({KEY: DATA}, statuses={KEY: [401]})) as fake:
        with pytest.raises(Failure, match="HF_TOKEN"):
            hub(fake).fetch(address(fake), tmp_path / "model.onnx")


def test_a_busy_hub_is_asked_again_and_given_up_on_in_the_end(tmp_path: Path) -> None:
    waits: list[float] = []
    with serving(FakeHub({KEY: DATA}, statuses={KEY: [503, 429]})) as fake:
        Hub(fake.address, pause=waits.append).fetch(address(fake), tmp_path / "model.onnx", len(DATA), SUM)
        assert waits == [2.0, 4.0]
        fake.statuses[KEY] = [503] * 9
        with pytest.raises(Failure, match="again and again") as error:
            hub(fake).fetch(address(fake), tmp_path / "other.onnx")
    assert error.value.retryable


def test_the_token_goes_to_the_hub_and_nowhere_else(tmp_path: Path) -> None:
    with serving(FakeHub({KEY: DATA})) as fake, serving(FakeHub({KEY: DATA})) as elsewhere:
        hub(fake, "secret").fetch(address(fake), tmp_path / "a")
        hub(fake, "secret").fetch(address(elsewhere), tmp_path / "b")
        assert fake.seen[0][2] == "Bearer secret"
        assert elsewhere.seen[0][2] == ""


def test_a_folder_that_cannot_be_written_is_a_storage_failure_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with serving(FakeHub({KEY: DATA})) as fake:
        with pytest.raises(Failure, match="cannot be written") as error:
            hub(fake).fetch(address(fake), tmp_path / "file" / "model.onnx")
    assert error.value.code == "storage_failed"
    assert str(tmp_path) not in error.value.message


def test_the_hub_lists_a_repositorys_commit_files_and_checksums() -> None:
    with serving(FakeHub({KEY: DATA})) as fake:
        commit, (file,) = hub(fake).list("org/voice", "main")
    assert (commit, file.path, file.size, file.sha256) == (COMMIT, "model.onnx", len(DATA), SUM)


def test_progress_is_told_up_to_the_whole(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    with serving(FakeHub({KEY: DATA})) as fake:
        hub(fake).fetch(address(fake), tmp_path / "m", progress=lambda *far: told.append(far))
    assert told[-1] == ("m", len(DATA), len(DATA))
