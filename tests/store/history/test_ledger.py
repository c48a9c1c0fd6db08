from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from store.history.record import Query, Record, State, Work
from tests.store.history.ledgers import PLACES, Make, made

DAY = 86_400.0
NOW = 1_900_000_000.0


@pytest.fixture(params=PLACES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with made(request.param, tmp_path, request) as make:
        yield make


def job(number: int, state: State = "done", **given: object) -> Record:
    at = NOW + number
    record = Record(f"job-{number}", state=state, model="tone", voice="sine", created=at, started=at, ended=at + 1)
    return replace(record, **given)  # type: ignore[arg-type]


def ids(records: tuple[Record, ...]) -> list[str]:
    return [record.id for record in records]


def test_what_is_written_is_read_as_it_was_by_everyone(make: Make) -> None:
    told = job(
        1, text="Grüße, 世界 🎈", usage={"characters": 3, "cost": 0.25}, audio="volume:a/b.wav", bytes=7, format="wav"
    )
    one, other = make(), make()
    one.write([told])
    assert other.get("job-1") == told
    assert other.get("job-2") is None


def test_a_later_record_replaces_all_but_when_and_in_which_batch_the_job_came(make: Make) -> None:
    ledger = make()
    ledger.write([job(1, "pending", batch="b", ended=None)])
    ledger.write([replace(job(1, "failed"), created=NOW + 500, batch="", code="internal", message="Broke.")])
    found = ledger.get("job-1")
    assert found is not None
    assert (found.created, found.batch, found.state, found.code) == (NOW + 1, "b", "failed", "internal")
    assert ledger.page(Query()).total == 1


def test_text_that_no_database_takes_is_kept_all_the_same(make: Make) -> None:
    ledger = make()
    ledger.write([job(1, text="nul \0 and half \ud83c a pair", message="\0", voice="\udcff", usage={"a": "\0"})])
    found = ledger.get("job-1")
    assert found is not None
    assert "half" in found.text


def test_pages_go_from_the_newest_to_the_oldest_without_gaps(make: Make) -> None:
    ledger = make()
    for number in range(7):
        ledger.write([job(number)])
    pages = [ledger.page(Query(page=page, page_size=3)) for page in (1, 2, 3, 4)]
    assert [ids(page.records) for page in pages] == [
        ["job-6", "job-5", "job-4"],
        ["job-3", "job-2", "job-1"],
        ["job-0"],
        [],
    ]
    assert {page.total for page in pages} == {7}


def test_jobs_of_one_second_are_told_in_their_order(make: Make) -> None:
    ledger = make()
    ledger.write([replace(job(number), created=NOW + number / 1000) for number in range(9)])
    assert ids(ledger.page(Query()).records) == [f"job-{number}" for number in reversed(range(9))]


def test_filters_can_be_combined(make: Make) -> None:
    ledger = make()
    ledger.write(
        [
            job(1),
            job(2, "failed"),
            job(3, voice="low"),
            job(4, "failed", voice="low", batch="b"),
            job(5, model="kokoro"),
        ]
    )
    assert ids(ledger.page(Query(state="failed")).records) == ["job-4", "job-2"]
    assert ids(ledger.page(Query(voice="low", state="failed")).records) == ["job-4"]
    assert ids(ledger.page(Query(batch="b")).records) == ["job-4"]
    assert ids(ledger.page(Query(model="kokoro")).records) == ["job-5"]
    assert ledger.page(Query(model="nobody")).total == 0


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("hello", ["job-2", "job-1"]),
        ("HELLO wor", ["job-1"]),
        ("world hello", ["job-1"]),
        ("wor hello", []),
        ("o'brien", ["job-3"]),
        ("gruesse", []),
        ("größe", ["job-3"]),
        ('"; DROP TABLE jobs --', []),
        ("hello* OR night", []),
        ("...", []),
    ],
)
def test_a_search_finds_all_words_and_the_beginning_of_the_last(make: Make, search: str, found: list[str]) -> None:
    ledger = make()
    ledger.write([job(1, text="Hello, brave world!"), job(2, text="Hello again.")])
    ledger.write([job(3, text="O'Brien: die Größe zählt")])
    assert ids(ledger.page(Query(search=search)).records) == found


def test_a_search_sees_the_text_that_a_job_has_now(make: Make) -> None:
    ledger = make()
    ledger.write([job(1, text="first words")])
    ledger.write([job(1, text="other ones")])
    assert ledger.page(Query(search="first")).total == 0
    assert ledger.page(Query(search="other")).total == 1
    assert ledger.forget(NOW + DAY, 10) == 1
    assert ledger.page(Query(search="other")).total == 0


def test_old_jobs_are_forgotten_a_few_at_a_time(make: Make) -> None:
    ledger = make()
    ledger.write([job(number, created=NOW + number * DAY) for number in range(5)])
    assert ledger.forget(NOW + 2.5 * DAY, 2) == 2
    assert ledger.forget(NOW + 2.5 * DAY, 2) == 1
    assert ledger.forget(NOW + 2.5 * DAY, 2) == 0
    assert sorted(ids(ledger.page(Query()).records)) == ["job-3", "job-4"]


def test_an_accepted_job_is_its_holders_until_it_says_no_more(make: Make) -> None:
    one, other = make(), make()
    one.accept(job(1, "pending"), Work("job-1", '{"text": "a"}'), "elsewhere/1-1", NOW + 30)
    assert other.claim("elsewhere/2-2", NOW + 59, NOW + 29, 10) == []
    one.renew(["job-1"], "elsewhere/1-1", NOW + 60)
    assert other.claim("elsewhere/2-2", NOW + 61, NOW + 31, 10) == []
    assert other.claim("elsewhere/2-2", NOW + 91, NOW + 61, 10) == [Work("job-1", '{"text": "a"}', begun=2)]
    one.renew(["job-1"], "elsewhere/1-1", NOW + 500)
    assert [work.begun for work in one.claim("elsewhere/1-1", NOW + 130, NOW + 92, 10)] == [3]


def test_a_job_that_was_released_or_whose_process_died_here_can_be_claimed_at_once(make: Make) -> None:
    ledger = make()
    dead = dead_process()
    ledger.accept(job(1, "pending"), Work("job-1", "{}"), "elsewhere/1-1", NOW + 30)
    ledger.accept(job(2, "pending"), Work("job-2", "{}"), dead, NOW + 30)
    ledger.release(["job-1"], "somebody/else")
    assert [work.id for work in ledger.claim("elsewhere/2-2", NOW + 31, NOW, 10)] == ["job-2"]
    ledger.release(["job-1"], "elsewhere/1-1")
    assert [work.id for work in ledger.claim("elsewhere/2-2", NOW + 31, NOW, 10)] == ["job-1"]


def dead_process() -> str:
    from store.history.holder import myself

    machine, _, process = myself().rpartition("/")
    return f"{machine}/{process.partition('-')[0]}-1"


def test_each_of_many_jobs_goes_to_exactly_one_of_those_who_claim(make: Make) -> None:
    ledgers = [make() for _ in range(4)]
    for number in range(12):
        ledgers[0].accept(job(number, "pending"), Work(f"job-{number}", "{}"), "elsewhere/1-1", NOW)

    def take(number: int) -> list[str]:
        taken: list[str] = []
        while found := ledgers[number].claim(f"elsewhere/{number}", NOW + 99, NOW + 1, 2):
            taken += [work.id for work in found]
        return taken

    with ThreadPoolExecutor(4) as beside:
        taken = [id for found in beside.map(take, range(4)) for id in found]
    assert sorted(taken) == sorted(f"job-{number}" for number in range(12))


def test_a_settled_job_is_claimed_by_nobody_and_says_where_its_sound_is(make: Make) -> None:
    ledger = make()
    ledger.accept(job(1, "pending"), Work("job-1", "{}"), "elsewhere/1-1", NOW)
    ledger.write([job(1)])
    ledger.settle("job-1", "results:x")
    ledger.settle("job-1", "results:y")
    assert ledger.claim("elsewhere/2-2", NOW + 99, NOW + 1, 10) == []
    found = ledger.get("job-1")
    assert found is not None
    assert found.audio == "results:x"


def test_a_wish_to_cancel_is_seen_by_others_and_outlives_what_the_job_says_next(make: Make) -> None:
    one, other = make(), make()
    one.accept(job(1, "pending"), Work("job-1", "{}"), "elsewhere/1-1", NOW)
    other.wish("job-1")
    one.write([job(1, "running", ended=None)])
    assert one.wished(["job-1", "job-2"]) == {"job-1"}
    assert [work.wanted for work in one.claim("elsewhere/2-2", NOW + 99, NOW + 1, 10)] == [False]


def test_sounds_go_when_they_are_old_or_when_newer_ones_fill_the_room(make: Make) -> None:
    ledger = make()
    ledger.write([job(number, audio=f"volume:{number}", bytes=100, format="wav") for number in range(5)])
    ledger.write([job(9, audio="", bytes=10_000)])
    assert [sound.audio for sound in ledger.stale(NOW + 2.5, 1e9, 10)] == ["volume:0", "volume:1"]
    assert [sound.audio for sound in ledger.stale(0, 250, 10)] == ["volume:0", "volume:1", "volume:2"]
    assert [sound.audio for sound in ledger.stale(0, 250, 1)] == ["volume:0"]
    ledger.silenced(["job-0", "job-1"])
    assert [sound.audio for sound in ledger.stale(NOW + 3.5, 1e9, 10)] == ["volume:2"]
    found = ledger.get("job-0")
    assert found is not None
    assert (found.audio, found.bytes) == ("", 100)
