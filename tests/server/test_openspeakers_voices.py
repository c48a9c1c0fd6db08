"""Voice profiles over HTTP: made from an uploaded file, changed, heard and forgotten."""

from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.houses import decoded
from tests.server.openspeaking import serving, spoken
from tests.voices.speaking import encoded, speech


@cache
def recording() -> bytes:
    return encoded(speech(2))


async def uploaded(client: httpx.AsyncClient, name: str = "Alice", file: bytes | None = None, **form: Any) -> Any:
    files = {"reference_audio": ("../../etc/passwd.wav", recording() if file is None else file, "audio/wav")}
    return await client.post("/api/voices", data={"name": name, "model_id": "tone", **form}, files=files)


@pytest.mark.usefixtures("both_executors")
async def test_a_voice_is_made_listed_changed_and_forgotten(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        made = await uploaded(client, reference_text="What is said in it.")
        assert made.status_code == 201, made.text
        voice = made.json()
        assert (voice["id"], voice["name"], voice["model_id"]) == ("alice", "Alice", "tone")
        assert (voice["reference_text"], voice["reference_text_status"]) == ("What is said in it.", "manual")
        assert voice["reference_duration_seconds"] > 2
        listed = (await client.get("/api/voices", params={"model_id": "tone"})).json()
        assert (listed["total"], listed["voices"][0]["id"]) == (1, "alice")
        changed = await client.patch("/api/voices/alice", json={"name": "Ally", "tags": ["warm"], "reference_text": ""})
        assert (changed.json()["name"], changed.json()["tags"]) == ("Ally", ["warm"])
        assert changed.json()["reference_text"] is None
        assert (await client.get("/api/voices/alice")).json()["name"] == "Ally"
        assert (await client.delete("/api/voices/alice")).status_code == 204
        assert (await client.get("/api/voices/alice")).status_code == 404
        assert (await client.delete("/api/voices/alice")).json()["code"] == "unknown_voice"


@pytest.mark.usefixtures("both_executors")
async def test_a_voice_that_was_uploaded_speaks_and_can_be_heard(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        id = (await uploaded(client)).json()["id"]
        mine, low = await spoken(client, voice_id=id), await spoken(client)
        sounds = [(await client.get(f"/api/tts/jobs/{job}/audio")).content for job in (mine, low)]
        assert sounds[0] != sounds[1]
        heard = await client.get(f"/api/voices/{id}/audio")
        assert heard.headers["content-type"] == "audio/wav"
        assert len(decoded(heard.content)[0]) > 24_000


async def test_names_need_not_be_unique_and_never_become_paths(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        ids = [(await uploaded(client, name)).json()["id"] for name in ("Alice", "Alice", "../x", "爱丽丝")]
        assert len(set(ids)) == 4
        assert ids[1].startswith("alice-")
        assert all("/" not in id for id in ids)
        assert not [path for path in tmp_path.rglob("*") if "passwd" in path.name]


@pytest.mark.usefixtures("both_executors")
@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"file": b""}, 422, "invalid_input"),
        ({"file": b"no sound at all, whatever its name says"}, 422, "reference_not_audio"),
        ({"model_id": "hibari"}, 501, "not_supported"),
        ({"model_id": "none"}, 404, "unknown_model"),
        ({"name": ""}, 422, "invalid_input"),
    ],
)
async def test_what_makes_no_voice_is_refused(tmp_path: Path, asked: dict[str, Any], status: int, code: str) -> None:
    async with serving(tmp_path) as client:
        answer = await uploaded(client, **asked)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await client.get("/api/voices")).json()["total"] == 0


async def test_a_file_over_the_limit_is_413_whether_it_was_read_or_not(tmp_path: Path) -> None:
    async with serving(tmp_path, REFERENCE_MB="1") as client:
        for size, code in ((1_500_000, "reference_too_large"), (9_000_000, "payload_too_large")):
            answer = await uploaded(client, file=bytes(size))
            assert (answer.status_code, answer.json()["code"], answer.json()["status_code"]) == (413, code, 413)


@pytest.mark.usefixtures("both_executors")
async def test_built_in_voices_are_those_of_the_model(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        voices = (await client.get("/api/voices/builtin/tone")).json()
        assert {"low", "high"} <= {voice["id"] for voice in voices}
        assert {voice["model_id"] for voice in voices} == {"tone"}
        assert (await client.get("/api/voices/builtin/none")).status_code == 404
