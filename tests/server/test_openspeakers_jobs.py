"""Jobs as an OpenSpeakers client asks for them: accepted, polled, listed, cancelled, and heard in ranges."""

import asyncio
import io
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.engines.tone import Cost, Score
from tests.houses import decoded
from tests.server.openspeaking import ASKED, LONG, accepted, ended, serving, spoken
from tests.server.served import house_of

SLOW = Score(costs={"speak": Cost(start=0.05)})


@pytest.mark.usefixtures("both_executors")
async def test_a_job_is_accepted_spoken_and_fetched(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = await accepted(client)
        job = await ended(client, id)
        assert (job["status"], job["model_id"], job["voice_id"]) == ("complete", "tone", "low")
        assert (job["text"], job["error_message"]) == (ASKED["text"], None)
        assert job["duration_seconds"] > 1
        assert job["processing_time_ms"] >= 0
        sound = await client.get(job["audio_url"])
        assert (sound.status_code, sound.headers["content-type"]) == (200, "audio/wav")
        with wave.open(io.BytesIO(sound.content)) as file:
            seconds = file.getnframes() / file.getframerate()
        assert seconds == pytest.approx(job["duration_seconds"], abs=0.01), "its head says how long it is"


@pytest.mark.parametrize(
    ("format", "kind", "start"),
    [("mp3", "audio/mpeg", b"ID3"), ("ogg", "audio/ogg", b"OggS"), ("flac", "audio/flac", b"fLaC")],
)
async def test_a_job_is_in_the_format_that_was_asked_for(tmp_path: Path, format: str, kind: str, start: bytes) -> None:
    async with serving(tmp_path) as client:
        id = await spoken(client, output_format=format)
        sound = await client.get(f"/api/tts/jobs/{id}/audio")
        assert sound.headers["content-type"].split(";")[0] == kind
        assert sound.content.startswith(start)
        assert len(decoded(sound.content)[0]) > 10_000


async def test_speed_pitch_and_the_models_own_knobs_are_heard(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        ids = [await spoken(client, **asked) for asked in ({}, {"speed": 2.0}, {"extra": {"pitch": 12}})]
        plain, fast, high = [(await client.get(f"/api/tts/jobs/{id}/audio")).content for id in ids]
        assert len(fast) < 0.6 * len(plain)
        assert high != plain


async def test_ranges_are_served_and_wrong_ones_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        path = f"/api/tts/jobs/{await spoken(client)}/audio"
        whole = await client.get(path)
        size, tag = len(whole.content), whole.headers["ETag"]
        assert whole.headers["Accept-Ranges"] == "bytes"

        async def part(range: str, **headers: str) -> httpx.Response:
            return await client.get(path, headers={"Range": range, **headers})

        first = await part("bytes=0-99")
        assert (first.status_code, first.content) == (206, whole.content[:100])
        assert first.headers["Content-Range"] == f"bytes 0-99/{size}"
        assert (await part("bytes=-50")).content == whole.content[-50:]
        assert (await part(f"bytes={size - 10}-")).content == whole.content[-10:]
        beyond = await part(f"bytes={size}-")
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
        assert (await part("bytes=0-9", **{"If-Range": tag})).status_code == 206
        assert (await part("bytes=0-9", **{"If-Range": '"another"'})).content == whole.content
        head = await client.head(path)
        assert (head.headers["Content-Length"], head.headers["ETag"]) == (str(size), tag)


@pytest.mark.usefixtures("both_executors")
async def test_a_sound_keeps_its_tag_when_another_server_reads_it_from_the_store(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        path = f"/api/tts/jobs/{await spoken(client)}/audio"
        first = await client.get(path)
    async with serving(tmp_path) as client:
        again = await client.get(path)
        assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])


@pytest.mark.usefixtures("both_executors")
async def test_jobs_are_listed_in_pages_and_filtered(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        ids = [await spoken(client, text=f"Text number {word}.") for word in ("one", "two", "three")]
        bad = await accepted(client, voice_id="nobody")
        await ended(client, bad)
        page = (await client.get("/api/tts/jobs", params={"page_size": 2, "page": 2})).json()
        assert (page["total"], page["page"], page["page_size"]) == (4, 2, 2)
        assert [job["id"] for job in page["jobs"]] == [ids[1], ids[0]]

        async def found(**filters: Any) -> list[str]:
            return [job["id"] for job in (await client.get("/api/tts/jobs", params=filters)).json()["jobs"]]

        assert await found(status="failed") == [bad]
        assert await found(status="complete", search="three") == [ids[2]]
        assert await found(model_id="hibari") == []
        assert (await client.get("/api/tts/jobs", params={"status": "done"})).status_code == 422


@pytest.mark.usefixtures("both_executors")
async def test_a_job_that_fails_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = await accepted(client, voice_id="nobody")
        job = await ended(client, id)
        assert (job["status"], job["error_code"], job["audio_url"]) == ("failed", "unknown_voice", None)
        assert "nobody" in job["error_message"]
        refused = await client.get(f"/api/tts/jobs/{id}/audio")
        assert (refused.status_code, refused.json()["status_code"]) == (409, 409)
        assert "failed" in refused.json()["error"]


@pytest.mark.usefixtures("both_executors")
async def test_a_running_job_is_cancelled_once(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW) as client:
        id = await accepted(client, text=LONG)
        early = await client.get(f"/api/tts/jobs/{id}/audio")
        assert early.status_code == 409
        assert (await client.delete(f"/api/tts/jobs/{id}")).status_code == 204
        assert (await ended(client, id))["status"] == "cancelled"
        assert (await client.delete(f"/api/tts/jobs/{id}")).status_code == 409
        assert not house_of(client).running


@pytest.mark.usefixtures("both_executors")
async def test_what_nobody_knows_is_404_in_their_shape(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        for way, path in [("GET", ""), ("GET", "/audio"), ("DELETE", "")]:
            answer = await client.request(way, f"/api/tts/jobs/no-such-job{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            assert answer.json()["error"] == answer.json()["detail"]


@pytest.mark.usefixtures("both_executors")
@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"model_id": "no-such-model"}, 404, "unknown_model"),
        ({"model_id": "chatterbox"}, 404, "model_not_in_this_worker"),
        ({"text": ""}, 422, "invalid_input"),
        ({"speed": 9}, 422, "invalid_input"),
        ({"output_format": "pcm"}, 422, "invalid_input"),
        ({"keep_alive": 60}, 501, "not_supported"),
        ({"txt": "Hello."}, 422, "invalid_input"),
        ({"language": "not a language"}, 422, "invalid_input"),
        ({"text": "a" * 100_001}, 422, "invalid_input"),
    ],
)
async def test_what_is_wrong_at_first_sight_is_refused_at_once(
    tmp_path: Path, wrong: dict[str, Any], status: int, code: str
) -> None:
    async with serving(tmp_path) as client:
        answer = await client.post("/api/tts/generate", json=ASKED | wrong)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await client.get("/api/tts/jobs")).json()["total"] == 0


@pytest.mark.usefixtures("both_executors")
async def test_their_names_of_models_are_aliases(tmp_path: Path) -> None:
    async with serving(tmp_path, MODEL_ALIASES="their-model=tone") as client:
        id = await spoken(client, model_id="their-model")
        assert (await client.get(f"/api/tts/jobs/{id}")).json()["model_id"] == "tone"
        assert (await client.get("/api/tts/jobs", params={"model_id": "their-model"})).json()["total"] == 1
        refused = await client.post("/api/tts/generate", json=ASKED | {"model_id": "fish-speech-s2"})
        assert "fish-s2-pro" in refused.json()["error"]


async def test_without_the_key_no_job_is_accepted_or_told(tmp_path: Path) -> None:
    async with serving(tmp_path, API_KEYS="secret") as client:
        assert (await client.post("/api/tts/generate", json=ASKED)).status_code == 401
        assert (await client.get("/api/tts/jobs")).json()["code"] == "unauthorised"
        client.headers["X-API-Key"] = "secret"
        assert (await client.get("/api/tts/jobs")).json()["total"] == 0


async def test_addresses_stand_below_the_servers_prefix(tmp_path: Path) -> None:
    async with serving(tmp_path, BASE_PATH="/speech") as client:
        answer = await client.post("/speech/api/tts/generate", json=ASKED)
        async with asyncio.timeout(60):
            while True:
                job = (await client.get(f"/speech/api/tts/jobs/{answer.json()['job_id']}")).json()
                if job["status"] == "complete":
                    break
                await asyncio.sleep(0.02)
        assert (await client.get(job["audio_url"])).status_code == 200
