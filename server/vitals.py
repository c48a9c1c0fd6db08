"""How deployed endpoints are, as the platform tells: asked at most every few seconds, and never by sending a job."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from basics.errors import Failure
from basics.metrics import family, sample
from server.endpoint import Endpoint
from server.executor import Readiness
from server.routing import Routes

FRESH_SECONDS = 5.0
Outcomes = Mapping[tuple[str, str], int]


class Vitals:
    def __init__(self, endpoints: Mapping[str, Endpoint], routes: Routes) -> None:
        self._endpoints = endpoints
        self._routes = routes
        self._found: dict[str, dict[str, Any] | Failure] = {}
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def readiness(self) -> Readiness:
        found = await self._look()
        failures = [each for each in found.values() if isinstance(each, Failure)]
        if len(failures) < len(found):
            return Readiness(True)
        lasting = [failure for failure in failures if not failure.retryable]
        return Readiness(False, lasting[0] if len(lasting) == len(failures) else None)

    async def told(self) -> list[dict[str, Any]]:
        return [
            {"id": id, "serves": self._routes.names(id)}
            | ({"error": each.as_dict()} if isinstance(each, Failure) else each)
            for id, each in (await self._look()).items()
        ]

    async def metrics(self, running: int, outcomes: Outcomes) -> str:
        lines = family("tts_jobs", "gauge", "Jobs being answered.", [sample("tts_jobs", {}, running)])
        ended = [sample("tts_jobs_total", {"endpoint": id, "outcome": how}, n) for (id, how), n in outcomes.items()]
        lines += family("tts_jobs_total", "counter", "Jobs by endpoint and outcome.", ended)
        asked = [
            sample("tts_platform_answers_total", {"endpoint": id, "status": status}, count)
            for id, endpoint in self._endpoints.items()
            for status, count in Counter(endpoint.asked).items()
        ]
        lines += family("tts_platform_answers_total", "counter", "Answers of RunPod's API.", asked)
        found = await self._look()
        for part, name, help in (
            ("workers", "tts_endpoint_workers", "Workers by state."),
            ("jobs", "tts_endpoint_jobs", "Jobs by state, as the platform counts."),
        ):
            states = [
                sample(name, {"endpoint": id, "state": state}, count)
                for id, each in found.items()
                if isinstance(each, dict)
                for state, count in (each.get(part) or {}).items()
            ]
            lines += family(name, "gauge", help, states)
        return "\n".join(lines) + "\n"

    async def _look(self) -> dict[str, dict[str, Any] | Failure]:
        async with self._looking:
            if time.monotonic() >= self._until:
                told = await asyncio.gather(*(_health(each) for each in self._endpoints.values()))
                self._found = dict(zip(self._endpoints, told, strict=True))
                self._until = time.monotonic() + FRESH_SECONDS
            return self._found


async def _health(endpoint: Endpoint) -> dict[str, Any] | Failure:
    try:
        told = await endpoint.health()
    except Failure as failure:
        return failure
    return {part: told[part] for part in ("workers", "jobs") if isinstance(told.get(part), dict)}
