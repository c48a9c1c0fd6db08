"""The server as a process, and where it listens."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.platform.worker import ROOT


@contextmanager
def process(folder: Path, *command: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process and the addresses it says it listens on."""
    given = {"MODEL": "tone", "PORT": "0", "VOICES": str(folder), "AUDIO_OUTPUT_DIR": str(folder), **environment}
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    worker = subprocess.Popen(
        (sys.executable, *command), cwd=ROOT, env=own | given, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stderr is not None
        said = next(line for line in iter(worker.stderr.readline, "") if "serving" in line)
        host = re.search(r"address=(\S+)", said)
        ports = re.search(r"ports=(\[.*?\])", said)
        assert host is not None
        assert ports is not None
        yield worker, [f"http://{host[1]}:{port}" for port in json.loads(ports[1])]
    finally:
        worker.kill()
        worker.communicate()
