"""What tests of several rooms share: real servers, started once and only when a test asks for one."""

import itertools
from collections.abc import Iterator

import pytest

from tests.store.seaweed import Seaweed, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with running(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket_name(seaweed: Seaweed) -> str:
    """A new, empty bucket for one test."""
    return seaweed.make(f"bucket-{next(_numbers)}")
