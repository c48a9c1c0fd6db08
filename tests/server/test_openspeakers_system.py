"""Models and the machine as OpenSpeakers tells of them."""

import asyncio
import json
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.graphics import Gpu, gpus
from basics.settings import Settings
from operations.opening import Opened
from server.dialects.openspeakers.system import shown
from server.executor import Here
from tests.server.openspeaking import serving, socket
from tests.server.served import listening


@pytest.mark.usefixtures("both_executors")
async def test_models_are_told_in_their_words(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        models = (await client.get("/api/models")).json()
        assert {"hibari", "kokoro"} <= {model["id"] for model in models}
        assert "tone" not in {model["id"] for model in models}, "hidden"
        tone = (await client.get("/api/models/tone")).json()
        assert (tone["supports_voice_cloning"], tone["is_loaded"], tone["status"]) == (True, True, "loaded")
        assert tone["options_schema"]["properties"]["pitch"]["maximum"] == 24
        kokoro = next(model for model in models if model["id"] == "kokoro")
        assert (kokoro["supports_voice_cloning"], kokoro["is_loaded"]) == (False, False)
        assert "en" in {language.split("-")[0] for language in kokoro["supported_languages"]}
        assert kokoro["hf_repo"] == "", "its files come from no repository"


@pytest.mark.usefixtures("both_executors")
async def test_a_model_that_is_not_served_or_not_known_is_404(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        for name, code in [("none", "unknown_model"), ("cosyvoice-2", "model_not_in_this_worker")]:
            answer = await client.get(f"/api/models/{name}")
            assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_health_says_ok_or_why_not(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert (await client.get("/api/system/health")).json() == {"status": "ok"}

    async def opening() -> Opened:
        raise Failure("weights_missing", "There are no weights.")

    async with listening(Settings.read({}), lambda: Here(opening)) as client:
        for path in ("/api/system/health", "/api/tts/jobs"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "weights_missing")


def test_the_card_that_was_named_stands_before_all() -> None:
    found = [Gpu(index, f"card {index}", 24.0, 6.0, 50, 60) for index in (0, 1)]
    told = shown(found, device=1)
    assert (told.available, told.device_id, told.device_name) == (True, 1, "card 1")
    assert told.nvidia_smi is not None
    assert (told.nvidia_smi.memory_total_mb, told.vram_total_gb) == (24 * 1024, 25.77)
    assert [each.device_id for each in told.gpus] == [0, 1]
    assert not shown([], device=0).available


async def test_a_machine_without_a_card_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as client, socket(client, "/ws/gpu/") as opened, asyncio.timeout(60):
        told = json.loads(await opened.recv())
        assert (await client.get("/api/system/gpu")).json() == told["gpu"]
    assert told["gpu"]["available"] == bool(told["gpu"]["gpus"]) == bool(gpus())
    if not gpus():
        assert {name for name, value in told["gpu"].items() if value is None} == NOTHING


NOTHING = {"device_id", "device_name", "vram_total_gb", "vram_used_gb", "nvidia_smi"}


def test_a_card_that_tells_no_load_is_told_without_one() -> None:
    told = shown([Gpu(0, "part of one", 12.0, 1.0, None, None)], device=0)
    assert told.nvidia_smi is not None
    assert (told.nvidia_smi.utilization_pct, told.nvidia_smi.memory_total_mb) == (None, 12 * 1024)
