"""What tests of several rooms share: real servers, started once and only when a test asks for one.

Engine tests run in the environment of the group that MODEL_GROUP names, and the others' are left out there.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from models.environments import ENVIRONMENTS
from tests.store import postgres as databases
from tests.store.postgres import Postgres
from tests.store.seaweed import Seaweed, running

NEED = {
    "torch": (
        *(f"engines/test_{name}" for name in ("chatterbox*", "f5.py", "f5_upstream.py", "memory.py", "xtts*")),
        "models/runtime/test_*",
    ),
    "openai": ("clients/test_*", "server/test_*"),
}
"""Files that only an environment with the package can read: the first are engines' tests, the others have none."""
collect_ignore_glob = [name for package, names in NEED.items() if not find_spec(package) for name in names]

_numbers = itertools.count(1)
_ENVIRONMENT = ENVIRONMENTS.get(os.environ.get("MODEL_GROUP", "").partition(",")[0], "embedded")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    elsewhere = [item for item in items if item.get_closest_marker("engine") and _home(item) != _ENVIRONMENT]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


def _home(item: pytest.Item) -> str:
    marker = item.get_closest_marker("environment")
    return str(marker.args[0]) if marker is not None else "embedded"


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with running(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, databases.running(Path(folder)) as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of a new, empty database for one test."""
    return postgres.make(f"test-{next(_numbers)}")


@pytest.fixture
def bucket_name(seaweed: Seaweed) -> str:
    """A new, empty bucket for one test."""
    return seaweed.make(f"bucket-{next(_numbers)}")
