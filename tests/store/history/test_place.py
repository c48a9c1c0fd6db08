import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from basics.settings import Settings
from store.folder import Folder
from store.history.disk import is_network
from store.history.history import History, NullHistory
from store.history.kept import Kept
from store.history.place import place
from store.history.record import Query, Record
from store.history.sql import Sql
from store.objects import Objects
from store.sounds import Sounds

ROOT = Path(__file__).parent.parent.parent.parent
STARTERS = 8


def chosen(folder: Path, objects: Objects | None = None, **environment: str) -> History:
    sounds = Sounds(None, Folder(folder / "out"), objects or Folder(folder / "kept"))
    return place(Settings.read(environment), objects, sounds, TurnedClock())


def kind(history: History) -> Any:
    return history.kind if isinstance(history, Kept) else None


def test_the_settings_choose_where_history_is_kept(tmp_path: Path) -> None:
    store = Folder(tmp_path)
    queue, balancer = {"RUNPOD_WEBHOOK_GET_JOB": "https://x"}, {"RUNPOD_ENDPOINT_ID": "e", "MODE": "http"}
    assert kind(chosen(tmp_path, store, **queue)) == "objects"
    assert kind(chosen(tmp_path, store, **balancer)) == "objects"
    assert isinstance(chosen(tmp_path, None, **queue), NullHistory)
    assert kind(chosen(tmp_path, store, **queue, DATABASE_URL="postgres://u:p@db/h")) == "postgresql"
    assert kind(chosen(tmp_path, store, MODE="http")) == "sqlite"
    assert isinstance(chosen(tmp_path, store), NullHistory), "a job run by hand leaves nothing behind"
    assert isinstance(chosen(tmp_path, store, MODE="http", HISTORY_DAYS="0"), NullHistory)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "secret", "postgresql://"])
def test_a_database_that_it_does_not_know_is_refused_without_its_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(Failure) as caught:
        chosen(tmp_path, DATABASE_URL=url)
    assert caught.value.code == "misconfigured"
    assert "secret" not in caught.value.message


def test_sqlite_on_a_network_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="network volume"):
        chosen(tmp_path, DATABASE_URL="sqlite:////runpod-volume/history.sqlite")


@pytest.mark.parametrize(
    ("path", "remote"),
    [("/data/a", False), ("/mnt/volume/a", True), ("/mnt/other", False), ("/mnt/with space/x", True), ("/home", False)],
)
def test_a_volume_is_known_by_how_it_is_mounted(tmp_path: Path, path: str, remote: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:20 / / rw - overlay overlay rw\n"
        "23 22 8:1 / /data rw shared:1 - ext4 /dev/sda rw\n"
        "24 22 0:40 / /mnt/volume rw - fuse.mfs mfs rw\n"
        "25 22 0:41 / /mnt/with\\040space rw - nfs4 host:/x rw\n"
    )
    assert is_network(Path(path), mounts) is remote
    assert not is_network(Path(path), tmp_path / "missing")


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path) -> None:
    history = chosen(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'deep' / 'history.sqlite'}")
    assert list(tmp_path.iterdir()) == []
    history.ended(Record("a", state="done"))
    assert history.page(Query()).total == 1
    history.close()
    assert (tmp_path / "deep" / "history.sqlite").is_file()


def starting(url: str) -> None:
    """Eight processes open one database at the same moment, and each writes to it."""
    code = (
        "import sys; from store.history.sql import Sql; from store.history.record import Record\n"
        "ledger = Sql(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "ledger.write([Record(sys.argv[2])]); ledger.close()"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, url, str(number)], cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, text=True
        )
        for number in range(STARTERS)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    ends = [(worker.communicate()[1], worker.returncode) for worker in workers]
    assert ends == [("", 0)] * STARTERS
    ledger = Sql(url)
    assert ledger.page(Query()).total == STARTERS
    ledger.close()


@pytest.mark.slow
def test_eight_workers_that_start_at_once_make_one_sqlite_database(tmp_path: Path) -> None:
    starting(f"sqlite:///{tmp_path / 'history.sqlite'}")


@pytest.mark.slow
@pytest.mark.service
def test_eight_workers_that_start_at_once_make_one_postgresql_database(database: str) -> None:
    starting(database)


def test_a_database_of_a_later_version_is_left_as_it_is(tmp_path: Path) -> None:
    import sqlalchemy as sa

    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    first = Sql(url)
    first.write([Record("a")])
    first.close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    later = Sql(url)
    later.write([Record("b")])
    assert later.page(Query()).total == 2
    later.close()
