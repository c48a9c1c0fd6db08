"""The same history in each of its places: tests take one after the other and must see no difference."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from store.bucket import Bucket
from store.folder import Folder
from store.history.keys import Keyed
from store.history.ledger import Ledger
from store.history.sql import Sql

PLACES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.service),
    "folder",
    pytest.param("bucket", marks=pytest.mark.service),
]

Make = Callable[[], Ledger]


@contextlib.contextmanager
def made(place: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes as many ledgers over one and the same place as a test wants, each as another process would."""
    if place == "sqlite":
        make: Make = lambda: Sql(f"sqlite:///{folder / 'history.sqlite'}")  # noqa: E731
    elif place == "postgresql":
        url = request.getfixturevalue("database")
        make = lambda: Sql(url)  # noqa: E731
    elif place == "folder":
        make = lambda: Keyed(Folder(folder / "store"))  # noqa: E731
    else:
        server, bucket = request.getfixturevalue("seaweed"), request.getfixturevalue("bucket_name")
        make = lambda: Keyed(Bucket(server.config(bucket)))  # noqa: E731
    opened: list[Ledger] = []

    def kept() -> Ledger:
        opened.append(make())
        return opened[-1]

    yield kept
    for ledger in opened:
        ledger.close()
