"""A connection to SQLite or PostgreSQL that says in our words what goes wrong, and never where it leads.

SQLite runs in WAL mode and each writing transaction takes its lock first, so that two writers wait for each other
instead of failing. PostgreSQL is never waited for longer than a few seconds.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from basics.errors import Failure
from store.history.ledger import Refused
from store.history.migrating import migrate

SQLITE_WAIT_SECONDS = 10.0
"""For another writer."""
CONNECT_SECONDS, STATEMENT_SECONDS = 3, 15
CONNECTIONS = 4


class Database:
    def __init__(self, url: str) -> None:
        """Reaches nothing yet."""
        self._ready = False
        self._making = threading.Lock()
        address = sa.make_url(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._engine = sa.create_engine(address, connect_args={"timeout": SQLITE_WAIT_SECONDS})
            event.listen(self._engine, "connect", _as_we_like_it)
            event.listen(self._engine, "begin", _begin)
        else:
            limits = {"connect_timeout": CONNECT_SECONDS, "options": f"-c statement_timeout={STATEMENT_SECONDS}s"}
            keepalive = {
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            }
            self._engine = sa.create_engine(
                address.set(drivername="postgresql+psycopg"),
                connect_args=limits | keepalive,
                pool_size=CONNECTIONS,
                pool_timeout=CONNECT_SECONDS,
                pool_pre_ping=True,
                hide_parameters=True,
            )

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        self._prepare()
        with told(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction."""
        self._prepare()
        with told(), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _prepare(self) -> None:
        with self._making:
            if not self._ready:
                with told(), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
                    migrate(connection)
                self._ready = True


@contextlib.contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except (exc.DataError, exc.IntegrityError, exc.NotSupportedError, OverflowError) as error:
        raise Refused from error
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        raise Failure("storage_failed", "The history's database is away.", retryable=True) from error


def _as_we_like_it(connection: Any, _: Any) -> None:
    """The driver begins no transactions of its own: `_begin` does."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "cache_size=-16000"):
        _patiently(connection, f"PRAGMA {pragma}")


def _patiently(connection: Any, statement: str) -> None:
    """Turning WAL on needs the file alone, and does not wait for that by itself."""
    for attempt in range(100):
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError:
            if attempt == 99:
                raise
            threading.Event().wait(0.05)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
