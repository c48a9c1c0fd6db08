"""What every route shares: readiness, keys, prefixes, slashes, limits, and clients that hang up."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models.engines.tone import Cost, Score
from operations.opening import Opened
from server import dialects
from server.executor import Here
from tests.server.served import house_of, listening, served

SPEECH = {"input": "Hello there.", "model": "tone", "voice": "low"}
SLOW = Score(costs={"speak": Cost(start=0.05)})


async def test_ping_says_204_until_the_model_speaks_and_200_then(tmp_path: Path) -> None:
    loaded: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()

    async def opening() -> Opened:
        return await loaded

    async def close() -> None:
        return None

    async with listening(Settings.read({}), lambda: Here(opening)) as client:
        assert (await client.get("/ping")).status_code == 204
        assert (await client.get("/health")).json() == {"status": "loading"}
        loaded.set_result(Opened(lambda job: None, close))  # type: ignore[arg-type,return-value]
        await asyncio.sleep(0)
        assert (await client.get("/ping")).status_code == 200


async def test_a_load_that_failed_is_told_by_ping_and_health() -> None:
    async def opening() -> Opened:
        raise Failure("weights_missing", "There are no weights.")

    async with listening(Settings.read({}), lambda: Here(opening)) as client:
        for path in ("/ping", "/health"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "weights_missing")


@pytest.mark.usefixtures("both_executors")
async def test_without_keys_nobody_is_asked_for_one(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer secret"},
        {"X-API-Key": "secret"},
        {"xi-api-key": "other"},
        {"X-Api-Key": "Bearer secret"},
    ],
)
async def test_a_key_is_taken_where_clients_put_it(tmp_path: Path, headers: dict[str, str]) -> None:
    async with served(tmp_path, API_KEYS="secret,other") as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH, headers=headers)).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}])
async def test_without_the_key_speech_is_refused_but_health_is_not(tmp_path: Path, headers: dict[str, str]) -> None:
    async with served(tmp_path, API_KEYS="secret") as client:
        refused = await client.post("/v1/audio/speech", json=SPEECH, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorised")
        assert (await client.get("/metrics", headers=headers)).status_code == 401
        assert [(await client.get(path)).status_code for path in ("/ping", "/health")] == [200, 200]


async def test_behind_a_balancer_its_own_authorization_header_is_left_alone(tmp_path: Path) -> None:
    platform = {"Authorization": "Bearer platform-key"}
    async with served(tmp_path, RUNPOD_ENDPOINT_ID="endpoint") as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH, headers=platform)).status_code == 200
    async with served(tmp_path, RUNPOD_ENDPOINT_ID="endpoint", API_KEYS="secret") as client:
        as_bearer = {"Authorization": "Bearer secret"}
        assert (await client.post("/v1/audio/speech", json=SPEECH, headers=as_bearer)).status_code == 401
        own = platform | {"X-API-Key": "secret"}
        assert (await client.post("/v1/audio/speech", json=SPEECH, headers=own)).status_code == 200


@pytest.mark.usefixtures("both_executors")
async def test_routes_exist_with_and_without_a_trailing_slash(tmp_path: Path) -> None:
    async with served(tmp_path) as client:
        assert [(await client.get(path)).status_code for path in ("/ping", "/ping/")] == [200, 200]
        assert (await client.post("/v1/audio/speech/", json=SPEECH)).status_code == 200


@pytest.mark.usefixtures("both_executors")
async def test_a_prefix_stands_before_every_route_but_those_of_the_platform(tmp_path: Path) -> None:
    async with served(tmp_path, BASE_PATH="/tts") as client:
        assert (await client.post("/tts/v1/audio/speech", json=SPEECH)).status_code == 200
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 404
        assert [(await client.get(path)).status_code for path in ("/ping", "/tts/ping")] == [200, 200]
        assert "/v1/audio/speech" in (await client.get("/tts/openapi.json")).json()["paths"]


async def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with served(tmp_path, REFERENCE_MB="1") as client:
        answer = await client.post("/v1/audio/speech", json=SPEECH | {"input": "a" * 6_000_000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.usefixtures("both_executors")
async def test_a_client_that_hangs_up_ends_its_synthesis(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW) as client:
        house = house_of(client)
        asked = SPEECH | {"input": "One sentence after the other. " * 200, "response_format": "pcm"}
        async with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
            async for _ in answer.aiter_raw():
                break
            assert house.running
        async with asyncio.timeout(60):
            while house.running or house.manager.residents()[0]["lines"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # no event tells that a model is idle


@pytest.mark.usefixtures("both_executors")
async def test_too_much_work_is_429_with_a_time_to_come_back(tmp_path: Path) -> None:
    async with served(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        asked = SPEECH | {"input": "One sentence after the other. " * 200, "response_format": "pcm"}
        async with client.stream("POST", "/v1/audio/speech", json=asked) as first:
            assert first.status_code == 200
            refused = await client.post("/v1/audio/speech", json=SPEECH)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
            assert refused.json()["error"]["code"] == "busy"


async def test_every_route_is_there_with_and_without_a_slash_at_its_end(tmp_path: Path) -> None:
    async with served(tmp_path, BASE_PATH="/tts") as client:
        paths = (await client.get("/tts/openapi.json")).json()["paths"]
        for path, ways in paths.items():
            address = "/tts" + re.sub(r"{.*?}", "x", path)
            for way in ways:
                plain, slashed = [await client.request(way, address + end) for end in ("", "/")]
                assert (plain.status_code, set(plain.headers)) == (slashed.status_code, set(slashed.headers)), address
                assert "Not Found" not in plain.text, address
    assert len(paths) > 30


def test_no_two_dialects_claim_one_route() -> None:
    routes = [route for router in dialects.TABLE for route in within(router)]
    claimed = [(re.sub(r"{.*?}", "{}", route.path), way) for route in routes for way in ways(route)]
    assert len(claimed) > 3
    assert [each for each, times in Counter(claimed).items() if times > 1] == []


def within(router: Any) -> Iterator[Any]:
    """A dialect's routes, those of the routers in it too."""
    for route in router.routes:
        yield from within(inner) if (inner := getattr(route, "original_router", None)) else (route,)


def ways(route: Any) -> set[str]:
    return set(getattr(route, "methods", None) or {"WS"})
