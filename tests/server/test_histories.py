"""Jobs over HTTP on each kind of history, in this process and in front of endpoints, with the database killed too."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.houses import decoded
from tests.server.openspeaking import accepted, ended, serving, spoken
from tests.server.served import places
from tests.store.postgres import Postgres
from tests.store.seaweed import Seaweed

Environment = dict[str, str]


def in_bucket(request: pytest.FixtureRequest) -> Environment:
    """As a load-balancing endpoint has it: nothing on its own disk lasts, so history is objects."""
    seaweed: Seaweed = request.getfixturevalue("seaweed")
    return {
        "RUNPOD_ENDPOINT_ID": "balanced",
        "BUCKET_ENDPOINT_URL": f"http://{seaweed.host}",
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": request.getfixturevalue("bucket_name"),
        "DATABASE_URL": "",
        "ALLOW_HOSTS": seaweed.host,
    }


KINDS = [
    ("here", "sqlite"),
    ("deployed", "sqlite"),
    pytest.param(("here", "postgresql"), marks=pytest.mark.service),
    pytest.param(("deployed", "postgresql"), marks=pytest.mark.service),
    pytest.param(("here", "objects"), marks=pytest.mark.service),
    pytest.param(("deployed", "objects"), marks=pytest.mark.service),
]


@pytest.fixture(params=KINDS, ids=lambda pair: "-".join(pair))
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    executor, kind = request.param
    places.append(executor)
    if kind == "objects":
        yield in_bucket(request)
    else:
        yield {"DATABASE_URL": request.getfixturevalue("database")} if kind == "postgresql" else {}
    places.pop()


async def known(client: httpx.AsyncClient) -> set[str]:
    """Nobody while the database is away."""
    told = (await client.get("/api/tts/jobs")).json()
    return {job["id"] for job in told.get("jobs", [])}


async def found(client: httpx.AsyncClient, **filters: str) -> list[str]:
    told = (await client.get("/api/tts/jobs", params=filters)).json()
    assert "jobs" in told, told
    return [job["id"] for job in told["jobs"]]


async def test_jobs_are_accepted_listed_searched_and_heard(tmp_path: Path, environment: Environment) -> None:
    async with serving(tmp_path, **environment) as client:
        first = await spoken(client, text="The first of two texts.")
        second = await spoken(client, text="The second of them.")
        bad = await accepted(client, voice_id="nobody")
        assert (await ended(client, bad))["error_code"] == "unknown_voice"
        assert await found(client) == [bad, second, first]
        assert await found(client, status="complete") == [second, first]
        assert await found(client, search="seco") == [second]
        sound = await client.get(f"/api/tts/jobs/{first}/audio", follow_redirects=True)
        assert len(decoded(sound.content)[0]) > 10_000


async def test_what_one_server_spoke_the_next_one_knows_and_has_the_sound_of(
    tmp_path: Path, environment: Environment
) -> None:
    async with serving(tmp_path, **environment) as client:
        id = await spoken(client)
        sound = (await client.get(f"/api/tts/jobs/{id}/audio", follow_redirects=True)).content
    async with serving(tmp_path, **environment) as client:
        assert (await client.get(f"/api/tts/jobs/{id}")).json()["status"] == "complete"
        again = await client.get(f"/api/tts/jobs/{id}/audio", follow_redirects=True)
        assert (again.status_code, again.content) == (200, sound)


@pytest.mark.service
@pytest.mark.parametrize("executor", ["here", "deployed"])
async def test_a_database_that_is_killed_stops_no_speech_and_hears_of_it_later(
    tmp_path: Path, postgres: Postgres, database: str, executor: str
) -> None:
    places.append(executor)
    try:
        async with serving(tmp_path, DATABASE_URL=database) as client:
            before = await spoken(client)
            postgres.stop()
            try:
                body = {"model": "tone", "voice": "low", "input": "Hello.", "response_format": "wav"}
                assert (await client.post("/v1/audio/speech", json=body)).content.startswith(b"RIFF")
                during = await spoken(client)
                assert (await client.get(f"/api/tts/jobs/{during}/audio")).status_code == 200
                assert (await client.get("/api/tts/jobs")).json()["code"] == "storage_failed"
            finally:
                postgres.start()
            async with asyncio.timeout(60):
                while not {before, during} <= await known(client):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
    finally:
        places.pop()
