"""Which history the settings ask for: a database, objects in the store, or none. Reaches nothing yet."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from basics.clock import Clock
from basics.errors import Failure
from basics.settings import VOLUME, Settings
from store.history.disk import is_network
from store.history.history import History, NullHistory
from store.history.kept import Kept, Rules
from store.history.keys import Keyed
from store.history.ledger import Ledger
from store.objects import Objects
from store.sounds import Sounds

DAY_SECONDS = 86_400
WISH_SECONDS = {"sqlite": 2.0, "postgresql": 2.0, "objects": 5.0}
"""How often a worker that speaks looks whether somebody wants it to stop: a bucket bills each look."""


def place(
    settings: Settings,
    objects: Objects | None,
    sounds: Sounds,
    clock: Clock,
    wall: Callable[[], float] = time.time,
) -> History:
    """Raises `misconfigured`."""
    chosen = _chosen(settings, objects)
    if chosen is None:
        return NullHistory()
    kind, make = chosen
    rules = Rules(
        history_seconds=settings.history_days * DAY_SECONDS,
        result_seconds=settings.result_seconds,
        result_bytes=settings.result_gb * 1e9,
        remove=sounds.remove,
    )
    return Kept(make, rules, clock, wall, kind=kind, wish_seconds=WISH_SECONDS[kind])


def _chosen(settings: Settings, objects: Objects | None) -> tuple[str, Callable[[], Ledger]] | None:
    if settings.history_days == 0:
        return None
    if settings.database_url:
        return _database(settings.database_url)
    if settings.serverless:
        return None if objects is None else ("objects", partial(_in_objects, objects))
    return _sqlite(settings.history_dir / "history.sqlite") if settings.mode == "http" else None


def _database(url: str) -> tuple[str, Callable[[], Ledger]]:
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres", "postgresql+psycopg") and rest:
        return "postgresql", partial(_in_sql, f"postgresql+psycopg://{rest}")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:] not in ("", ":memory:"):
        return _sqlite(Path(rest[1:].partition("?")[0]))
    raise Failure(
        "misconfigured",
        "DATABASE_URL must be `postgresql://user:password@host/name` or `sqlite:///path/of/a/file`.",
    )


def _sqlite(path: Path) -> tuple[str, Callable[[], Ledger]]:
    if path.absolute().is_relative_to(VOLUME) or is_network(path):
        raise Failure(
            "misconfigured",
            "DATABASE_URL puts SQLite on a network volume, which its locks do not survive.",
            hint="Name a file on the machine's own disk, or use PostgreSQL.",
        )
    return "sqlite", partial(_in_file, path)


def _in_file(path: Path) -> Ledger:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure("storage_failed", "The folder of the history's database cannot be made.") from error
    return _in_sql(f"sqlite:///{path}")


def _in_sql(url: str) -> Ledger:
    from store.history.sql import Sql  # SQLAlchemy takes most of a second

    ledger: Ledger = Sql(url)
    return ledger


def _in_objects(objects: Objects) -> Ledger:
    return Keyed(objects)
