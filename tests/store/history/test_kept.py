import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from store.folder import Folder
from store.history import kept
from store.history.kept import Kept, Rules
from store.history.ledger import Refused
from store.history.record import Query, Record, Sound, Work
from store.history.sql import Sql
from store.sounds import Sounds
from tests.store.postgres import Postgres

FOREVER = Rules(history_seconds=1e9, result_seconds=1e9, result_bytes=1e12)
SOON = 60.0
"""Real seconds that a test gives a thread."""


class Fragile(Sql):
    """A database that a test takes away and gives back; it can also dislike a record."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = False
        self.tried = threading.Semaphore(0)
        self.asked, self.free = threading.Semaphore(0), threading.Event()
        self.free.set()

    def write(self, records: Sequence[Record]) -> None:
        self.tried.release()
        if self.away:
            raise Failure("storage_failed", "away")
        if any(record.voice == "bad" for record in records):
            raise Refused
        super().write(records)

    def accept(self, *given: Any) -> None:
        if self.away:
            raise Failure("storage_failed", "away")
        self.asked.release()
        self.free.wait(SOON)
        super().accept(*given)


@contextmanager
def keeping(
    folder: Path, rules: Rules = FOREVER, room: int = kept.WAITING
) -> Iterator[tuple[Kept, Fragile, TurnedClock]]:
    clock = TurnedClock()
    ledger = Fragile(f"sqlite:///{folder / 'history.sqlite'}")
    history = Kept(lambda: ledger, rules, clock, clock.now, room=room)
    try:
        yield history, ledger, clock
    finally:
        history.close()


def written(history: Kept) -> int:
    """How many there are, when what waits has been written."""
    return history.page(Query()).total


def job(number: int, **given: Any) -> Record:
    return Record(f"job-{number}", **{"state": "done", "created": float(number), "ended": float(number), **given})


def until(true: Callable[[], bool]) -> None:
    """Threads settle in their own time; what they settle to is certain."""
    condition = threading.Condition()
    with condition:
        for _ in range(int(SOON / 0.01)):
            if true():
                return
            condition.wait(0.01)
    raise AssertionError("it never came true")


def test_what_is_said_is_read_at_once_whether_it_is_written_or_not(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, _):
        ledger.away = True
        history.began(job(1, state="running", ended=None))
        assert history.get("job-1") == job(1, state="running", ended=None)
        history.ended(job(1))
        assert history.get("job-1") == job(1)


def test_what_was_said_while_the_database_was_away_is_written_when_it_is_back(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, clock):
        ledger.away = True
        for number in range(500):
            history.ended(job(number))
        assert ledger.tried.acquire(timeout=SOON)
        until(lambda: history.state()["away"])
        assert history.state()["waiting"] == 500
        ledger.away = False
        clock.turn(kept.LONGEST_PAUSE_SECONDS)
        until(lambda: history.state()["waiting"] == 0)
        assert written(history) == 500


def test_when_too_much_waits_the_newest_is_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with keeping(tmp_path, room=10) as (history, ledger, clock):
        ledger.away = True
        for number in range(25):
            history.ended(job(number))
        history.ended(job(3, voice="later"))
        assert (history.state()["waiting"], history.state()["dropped"]) == (10, 15)
        until(lambda: history.state()["away"])
        ledger.away = False
        clock.turn(kept.LONGEST_PAUSE_SECONDS)
        until(lambda: history.state()["waiting"] == 0)
        assert written(history) == 10
        found = history.get("job-3")
        assert found is not None
        assert found.voice == "later"
    assert [record for record in caplog.records if record.message == "history_dropped"]


def test_one_record_that_cannot_be_kept_takes_no_other_with_it(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, _):
        history.ended(job(1))
        history.ended(job(2, voice="bad"))
        history.ended(job(3))
        until(lambda: history.state()["waiting"] == 0)
        assert (written(history), history.dropped) == (2, 1)
        assert ledger.get("job-2") is None


def test_nothing_is_accepted_while_the_database_is_away_and_nobody_waits_for_it(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, clock):
        ledger.away = True
        assert not history.accept(job(1), Work("job-1", "{}"))
        ledger.away = False
        assert not history.accept(job(2), Work("job-2", "{}")), "it is not asked again so soon"
        clock.turn(kept.LONGEST_PAUSE_SECONDS)
        assert history.accept(job(3), Work("job-3", "{}"))


def test_a_job_that_ended_while_it_was_being_accepted_has_ended_and_is_nobodys(tmp_path: Path) -> None:
    """Whoever accepts it may have stopped waiting for the database long ago."""
    with keeping(tmp_path) as (history, ledger, clock):
        ledger.free.clear()
        accepting = threading.Thread(
            target=history.accept, args=(job(1, state="pending", ended=None), Work("job-1", ""))
        )
        accepting.start()
        assert ledger.asked.acquire(timeout=SOON)
        history.ended(job(1))
        history.settled("job-1")
        history.ended(job(2))
        until(lambda: ledger.get("job-2") is not None)
        assert history.get("job-1") == job(1)
        assert ledger.get("job-1") is None, "it is written after it was accepted"
        ledger.free.set()
        accepting.join()
        until(lambda: history.state()["waiting"] == 0)
        assert ledger.get("job-1") == job(1)
        clock.turn(kept.LEASE_SECONDS + 1)
        assert ledger.claim("another", 1e9, clock.now(), 10) == []


def test_an_accepted_job_stays_with_a_process_that_lives(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, clock):
        assert history.accept(job(1, state="pending", ended=None), Work("job-1", "{}"))
        for _ in range(8):
            clock.turn(kept.RENEW_SECONDS)
            history.began(job(2))
            until(lambda: history.state()["waiting"] == 0)
        assert ledger.claim("elsewhere/1-1", 1e6, clock.now(), 10) == []


def test_a_job_that_is_put_back_can_be_claimed_at_once_as_if_it_had_never_begun(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, ledger, clock):
        history.accept(job(1, state="pending", ended=None, batch="b"), Work("job-1", "{}"))
        history.began(job(1, state="running", ended=None))
        history.put_back(job(1, state="running", started=5.0, ended=None))
        found = ledger.get("job-1")
        assert found is not None
        assert (found.state, found.started, found.batch) == ("pending", None, "b")
        assert [work.id for work in ledger.claim("elsewhere/1-1", 1e6, clock.now(), 10)] == ["job-1"]


def test_a_wish_of_another_process_reaches_the_job_that_runs(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, _, clock):
        mine, others = threading.Event(), threading.Event()
        history.began(job(1, state="running", ended=None), mine)
        history.began(job(2, state="running", ended=None), others)
        assert written(history) == 2
        with keeping(tmp_path) as (elsewhere, _, _):
            assert elsewhere.wish("job-1") == kept.WISH_SECONDS
        until(lambda: clock.turn(kept.WISH_SECONDS) or mine.is_set())
        assert not others.is_set()


def test_what_is_older_than_the_settings_say_goes_by_itself(tmp_path: Path) -> None:
    volume = Folder(tmp_path / "out")
    sounds = Sounds(None, volume, Folder(tmp_path / "results"))
    rules = Rules(history_seconds=90 * 86_400, result_seconds=7 * 86_400, result_bytes=1e9, remove=sounds.remove)
    volume.put("a/old.wav", b"old")
    volume.put("a/new.wav", b"new")
    with keeping(tmp_path, rules) as (history, _, clock):
        history.ended(job(1, audio="volume:a/old.wav", format="wav", bytes=3))
        history.ended(job(2, audio="volume:a/new.wav", format="wav", bytes=3, ended=8 * 86_400.0))
        assert written(history) == 2
        until(lambda: clock.turn(86_400 / 4) or volume.local_path("a/old.wav") is None)
        assert clock.now() >= 7 * 86_400
        assert volume.local_path("a/new.wav") is not None
        until(lambda: history.get("job-1").audio == "")  # type: ignore[union-attr]
        assert written(history) == 2
        until(lambda: clock.turn(86_400) or written(history) == 0)
        assert clock.now() > 90 * 86_400
        assert volume.local_path("a/new.wav") is None


def test_a_sound_that_cannot_be_taken_away_is_tried_again_and_stops_nothing(tmp_path: Path) -> None:
    tried: list[str] = []

    def remove(sound: Sound) -> None:
        tried.append(sound.id)
        if len(tried) == 1:
            raise Failure("storage_failed", "The bucket is away.")

    with keeping(tmp_path, replace(FOREVER, result_seconds=10.0, remove=remove)) as (history, _, clock):
        history.ended(job(1, audio="bucket:a", format="wav"))
        assert written(history) == 1
        until(lambda: clock.turn(600) or history.get("job-1").audio == "")  # type: ignore[union-attr]
    assert tried == ["job-1", "job-1"]


def test_what_waits_is_written_when_the_worker_leaves(tmp_path: Path) -> None:
    with keeping(tmp_path) as (history, _, _):
        for number in range(1000):
            history.ended(job(number))
    with keeping(tmp_path) as (history, _, _):
        assert written(history) == 1000


def test_leaving_does_not_wait_for_a_database_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with keeping(tmp_path) as (history, ledger, _):
        ledger.away = True
        history.ended(job(1))
        until(lambda: history.state()["away"])
    assert [record.__dict__["records"] for record in caplog.records if record.message == "history_lost"] == [1]


@pytest.mark.service
def test_speech_is_told_of_while_postgresql_is_killed_and_comes_back(
    postgres: Postgres, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = TurnedClock()
    history = Kept(lambda: Sql(database), FOREVER, clock, clock.now)
    caplog.set_level(logging.DEBUG)
    try:
        history.ended(job(1))
        assert written(history) == 1
        postgres.stop()
        for number in range(2, 50):
            history.ended(job(number))
        until(lambda: history.state()["away"])
        with pytest.raises(Failure, match="away") as caught:
            history.page(Query())
        assert "secret" not in caught.value.message
        assert not history.accept(job(99), Work("job-99", "{}"))
        postgres.start()
        until(lambda: clock.turn(kept.LONGEST_PAUSE_SECONDS) or history.state()["waiting"] == 0)
        assert written(history) == 49
    finally:
        postgres.start()
        history.close()
    assert "secret" not in caplog.text
