"""One control plane and one worker for all that does not end them."""

from collections.abc import Iterator

import pytest

from tests.platform.control_plane import ControlPlane
from tests.platform.worker import Worker


@pytest.fixture(scope="session")
def shared_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="session")
def shared_worker(shared_plane: ControlPlane) -> Iterator[Worker]:
    with Worker(shared_plane, MAX_CONCURRENCY="4") as worker:
        yield worker


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        yield plane
