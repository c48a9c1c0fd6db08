"""Batches: each line fails alone, and what is complete comes in one zip that is packed while it is sent."""

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.engines.tone import Cost, Score
from tests.houses import decoded
from tests.server.openspeaking import LONG, accepted, serving
from tests.server.served import house_of

SLOW = Score(costs={"speak": Cost(start=0.05)})
BATCH = {"model_id": "tone", "voice_id": "low", "output_format": "mp3"}


async def sent(client: httpx.AsyncClient, lines: list[str], **asked: Any) -> dict[str, Any]:
    answer = await client.post("/api/tts/batch", json=BATCH | {"lines": lines} | asked)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def over(client: httpx.AsyncClient, id: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            told: dict[str, Any] = (await client.get(f"/api/tts/batches/{id}")).json()
            if not {"pending", "running"} & told["status_counts"].keys():
                return told
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("both_executors")
async def test_of_twenty_lines_one_is_bad_and_nineteen_are_in_the_zip(tmp_path: Path) -> None:
    lines = [f"This is line number {number}." for number in range(20)]
    lines[7] = "It waits [pause:99] far too long."
    async with serving(tmp_path) as client:
        batch = await sent(client, lines)
        assert (batch["total"], len(set(batch["job_ids"]))) == (20, 20)
        told = await over(client, batch["batch_id"])
        assert told["status_counts"] == {"complete": 19, "failed": 1}
        assert [job["id"] for job in told["jobs"]] == batch["job_ids"], "in the order of the lines"
        assert (told["jobs"][7]["status"], told["jobs"][7]["error_code"]) == ("failed", "bad_markup")
        packed = await client.get(f"/api/tts/batches/{batch['batch_id']}/zip")
        assert packed.headers["content-type"] == "application/zip"
        assert batch["batch_id"] in packed.headers["content-disposition"]
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert names == [f"{n + 1:03d}_{id}.mp3" for n, id in enumerate(batch["job_ids"]) if n != 7]
            for name, id in list(zip(names, batch["job_ids"], strict=False))[:3]:
                assert archive.read(name) == (await client.get(f"/api/tts/jobs/{id}/audio")).content
            assert len(decoded(archive.read(names[-1]))[0]) > 10_000


async def test_a_batch_is_told_in_pages_and_its_jobs_know_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        batch = await sent(client, ["One is here.", "  ", "Two is there.", "Three."])
        assert batch["total"] == 3, "empty lines are left out, as upstream does"
        await over(client, batch["batch_id"])
        page = (await client.get(f"/api/tts/batches/{batch['batch_id']}", params={"page": 2, "page_size": 2})).json()
        assert [job["text"] for job in page["jobs"]] == ["Three."]
        assert page["total"] == 3
        assert page["jobs"][0]["batch_id"] == batch["batch_id"]
        listed = (await client.get("/api/tts/jobs", params={"batch_id": batch["batch_id"]})).json()
        assert listed["total"] == 3


async def test_a_batch_nobody_knows_and_one_with_nothing_complete_are_404(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        for path in ("/api/tts/batches/none", "/api/tts/batches/none/zip"):
            assert (await client.get(path)).status_code == 404
        batch = await sent(client, ["[pause:99]"])
        await over(client, batch["batch_id"])
        assert (await client.get(f"/api/tts/batches/{batch['batch_id']}/zip")).status_code == 404


@pytest.mark.usefixtures("both_executors")
@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"lines": []}, 422),
        ({"lines": ["", " "]}, 422),
        ({"lines": ["x"] * 101}, 422),
        ({"lines": ["Hello."], "model_id": "none"}, 404),
        ({"lines": ["Hello."], "language": "??"}, 422),
    ],
)
async def test_what_all_lines_share_is_checked_before_any_is_accepted(
    tmp_path: Path, wrong: dict[str, Any], status: int
) -> None:
    async with serving(tmp_path) as client:
        assert (await client.post("/api/tts/batch", json=BATCH | wrong)).status_code == status
        assert (await client.get("/api/tts/jobs")).json()["total"] == 0


async def test_a_client_that_hangs_up_during_the_zip_leaves_nothing_open(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        batch = await sent(client, [LONG[:1200]] * 3, output_format="wav")
        await over(client, batch["batch_id"])
        path = f"/api/tts/batches/{batch['batch_id']}/zip"
        async with client.stream("GET", path) as answer:
            async for _ in answer.aiter_raw():
                break
        whole = await client.get(path)
        with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
            assert archive.testzip() is None
        async with asyncio.timeout(60):
            while open_sounds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # nothing tells that the kernel was asked to close


def open_sounds() -> list[str]:
    """Sounds that are open for sending; the tape's own handles are open for writing."""
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        try:
            flags = int((Path("/proc/self/fdinfo") / handle.name).read_text().split("flags:")[1].split()[0], 8)
            if flags & 3 == 0 and "speech" in str(handle.readlink()):
                found.append(str(handle.readlink()))
        except OSError:
            continue
    return found


@pytest.mark.slow
async def test_a_batch_that_does_not_fit_the_line_is_refused_whole(tmp_path: Path) -> None:
    async with serving(tmp_path, SLOW, MAX_CONCURRENCY="1") as client:
        running = await accepted(client, text=LONG * 8)
        for _ in range(10):
            assert (await sent(client, ["One line of a hundred."] * 100))["total"] == 100
        refused = await client.post("/api/tts/batch", json=BATCH | {"lines": ["One too many."] * 5})
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
        assert refused.headers["Retry-After"]
        assert len(house_of(client).held) == 1001, "of the refused batch nothing waits"
        assert running in house_of(client).held
