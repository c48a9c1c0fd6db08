"""The JavaScript client, by node's own test runner, over HTTP and at a RunPod endpoint."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from basics.errors import CODES
from models.engines.tone import Cost, Score
from tests.client.test_client import Place, endpoint, server
from tests.test_house import ROOT

NODE = shutil.which("node")
SCORE = Score(costs={"speak": Cost(start=0.005)})


@pytest.mark.service
@pytest.mark.skipif(NODE is None, reason="node is not on this machine")
@pytest.mark.parametrize("place", [server, endpoint], ids=["server", "endpoint"])
async def test_it_does_what_its_own_tests_say(place, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    async with place(tmp_path, SCORE) as at:
        code, said = await run(at)
    assert code == 0, said


async def run(at: Place) -> tuple[int, str]:
    environment = {"TTS_ADDRESS": at.address, "TTS_KEY": at.key, "TTS_CODES": ",".join(CODES), "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(
        str(NODE),
        "--test",
        "tests/client/javascript.test.mjs",
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace")
