"""The server as a process: it listens where it may, answers, and ends when it is told to."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from basics.settings import Settings
from server.serving import address, listening
from tests.platform.control_plane import ControlPlane
from tests.server.processes import process
from tests.test_house import ROOT


def test_by_handler_and_by_module_it_speaks_on_both_ports_and_ends_on_sigterm(tmp_path: Path) -> None:
    for command in (("handler.py",), ("-m", "server")):
        with process(tmp_path, *command, MODE="http", PORT_HEALTH=str(free())) as (worker, addresses):
            with httpx.Client(trust_env=False, timeout=60) as client:
                body = {"input": "Hello.", "model": "tone", "voice": "low", "response_format": "wav"}
                assert client.post(f"{addresses[0]}/v1/audio/speech", json=body).content.startswith(b"RIFF")
                assert [client.get(f"{each}/ping").status_code for each in addresses] == [200, 200]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        own = {"PATH": os.environ["PATH"], "MODEL": "tone", "PORT": port, "VOICES": str(tmp_path)}
        ended = subprocess.run((sys.executable, "-m", "server"), cwd=ROOT, env=own, capture_output=True, text=True)
    assert ended.returncode == 2
    assert f"misconfigured: PORT: {port}" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("environment", "host"),
    [({}, "127.0.0.1"), ({"API_KEYS": "a"}, "0.0.0.0"), ({"RUNPOD_ENDPOINT_ID": "e"}, "0.0.0.0")],
)
def test_only_where_somebody_checks_keys_does_it_listen_to_all(environment: dict[str, str], host: str) -> None:
    assert address(Settings.read(environment)) == host


async def test_a_small_piece_is_sent_at_once_and_waits_for_no_acknowledgement() -> None:
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def joined(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listening("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(joined, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await told != 0
            writer.close()


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_with_endpoints_it_serves_as_their_gateway(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        near = {"RUNPOD_API_KEY": "loopback", "RUNPOD_ENDPOINT_BASE_URL": f"{plane.url}/v2", "ENDPOINTS": "tone=ep"}
        with process(tmp_path, "-m", "server", MODE="http", **near) as (worker, [url]):
            with httpx.Client(trust_env=False, timeout=60, base_url=url) as client:
                assert client.get("/ping").status_code == 200
                assert client.get("/health").json()["endpoints"][0]["id"] == "ep"
                assert 'tts_endpoint_workers{endpoint="ep",state="idle"} 0' in client.get("/metrics").text
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) in (0, -signal.SIGTERM)
        assert plane.records == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ENDPOINTS": "kokoro=abc"}, "RUNPOD_API_KEY"),
        ({"ENDPOINTS": "kokoro=../v1", "RUNPOD_API_KEY": "k"}, "an endpoint's id"),
        ({"ENDPOINTS": "kokoro=abc", "RUNPOD_API_KEY": "k", "MODEL": "hibari"}, "serves `hibari`"),
        ({"ENDPOINTS": "kokoro=abc", "RUNPOD_API_KEY": "k", "DATABASE_URL": "mysql://a/b"}, "DATABASE_URL"),
    ],
)
def test_endpoints_that_cannot_be_asked_end_the_start(given: dict[str, str], said: str) -> None:
    own = {"PATH": os.environ["PATH"], "PORT": "0", **given}
    ended = subprocess.run((sys.executable, "-m", "server"), cwd=ROOT, env=own, capture_output=True, text=True)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
