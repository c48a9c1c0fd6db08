"""A worker as a real process on a control plane, and what it says on stdout."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from tests.platform.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_worker.py")
LIMIT_SECONDS = 60.0


class Worker:
    def __init__(self, plane: ControlPlane | None, *arguments: str, script: Path = FAKE, **environment: str) -> None:
        self.name = f"worker-{id(self):x}"
        platform = plane.environment(self.name) if plane else {}
        self._process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            cwd=ROOT,
            env={**clean(), **platform, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The SDK's heartbeat is a second process, which outlives a killed worker.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """All of it, as when the platform freezes the container."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def ended(self) -> int:
        return self._process.wait(LIMIT_SECONDS)

    def heard(self, text: str) -> str:
        """The first line with this in it, which may be still to come."""
        with self._said:
            found = self._said.wait_for(lambda: [line for line in self.lines if text in line], LIMIT_SECONDS)
        assert found, f"never said {text!r}:\n" + "\n".join(self.lines)
        return found[0]

    def told(self, what: str, job: str) -> None:
        self.heard(json.dumps({"told": what, "job": job}))

    def _read(self) -> None:
        for line in self._process.stdout or ():
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()


def clean() -> dict[str, str]:
    """This machine's environment without what would make a worker of it."""
    ours = ("RUNPOD_", "BUCKET_", "MODEL", "MODE", "FAKE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
