"""The client in docs/live.md, run as it stands there."""

import asyncio
import io
import re
import sys
from pathlib import Path

import av

from tests.server.served import served

PAPER = Path(__file__).parent.parent.parent / "docs" / "live.md"


def client() -> str:
    found = re.search(r"```python\n(.*?)```", PAPER.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_it_has_thirty_lines_at_most() -> None:
    assert len(client().splitlines()) <= 30


async def test_it_hears_all_that_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "live.py").write_text(client())
    async with served(tmp_path) as server:
        address = str(server.base_url).replace("http", "ws", 1).rstrip("/") + "/v1/audio/stream"
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(tmp_path / "live.py"), address, stdout=pipe, stderr=pipe, env={}
        )
        sound, complained = await process.communicate()
    assert (process.returncode, complained) == (0, b"")
    with av.open(io.BytesIO(sound)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert 3 < seconds < 6
