"""The environment in which the frameworks' plugins live: their versions are not the worker's."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from builder import environment

HERE = Path(__file__).parent
Running = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="session")
def frameworks() -> Path:
    """Its interpreter; made the first time, which takes a minute or two."""
    return environment.make("clients") / "bin" / "python"


@pytest.fixture
def running(frameworks: Path) -> Running:
    """Runs one of the scripts here and gives what it told in its last line."""

    async def run(script: str, *arguments: str) -> dict[str, Any]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            str(frameworks), str(HERE / script), *arguments, stdout=pipe, stderr=pipe
        )
        said, complained = await process.communicate()
        assert process.returncode == 0, complained.decode()[-2000:]
        told: dict[str, Any] = json.loads(said.decode().strip().splitlines()[-1])
        return told

    return run
