"""The OpenAPI document, and what happens to whoever takes it at its word, or does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.served import served


def no_fault_of_ours(context: Any, response: Any, case: Any) -> None:
    """What is not built or not there is told with 501 and 503, and is declared."""
    assert response.status_code != 500, response.text


CHECKS = [no_fault_of_ours, status_code_conformance, content_type_conformance, response_schema_conformance]


@asynccontextmanager
async def documented(folder: Path) -> AsyncIterator[tuple[Any, str]]:
    async with served(folder, MODE="http", SHUTDOWN_SECONDS="1") as server:  # with a history
        document = (await server.get("/openapi.json")).json()
        yield schemathesis.openapi.from_dict(document), str(server.base_url).rstrip("/")


def tried(schema: Any, address: str, examples: int) -> list[str]:
    """Each operation asked with what it allows and what it does not. Blocks: for a thread."""
    asked = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            asked.append(operation.label)
            try_out(operation, address, mode, examples)
    return asked


def try_out(operation: Any, address: str, mode: GenerationMode, examples: int) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=quiet)
    @given(case=operation.as_strategy(mode))
    def each(case: Any) -> None:
        case.call_and_validate(address, checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):  # what takes nothing cannot be given anything wrong
        each()


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_no_request_ends_in_a_fault_of_ours(tmp_path: Path) -> None:
    async with documented(tmp_path) as (schema, address):
        asked = await asyncio.to_thread(tried, schema, address, 3)
    assert "POST /v1/audio/speech" in asked


async def test_every_route_declares_its_errors_in_its_own_shape(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        document = (await server.get("/openapi.json")).json()
    for path, ways in document["paths"].items():
        for way in ways.values():
            assert {"4XX", "5XX"} <= set(way["responses"]), path
            assert "422" not in way["responses"], path
