"""Which executor is behind the server of a test."""

from collections.abc import Iterator

import pytest

from tests.server.served import places


@pytest.fixture(params=["here", "deployed"])
def both_executors(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs with the house in the server, and once more with it behind RunPod's queue."""
    places.append(request.param)
    yield request.param
    places.pop()
