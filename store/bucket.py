"""An S3 bucket as a store. Importing this loads no boto3; the first call does.

Conditions are the bucket's own (`If-None-Match`, `If-Match`). Where it does not know them it says 501 once; from
then on they are checked before the put, which two racing writers can both pass: `conditional` tells.
Files over 8 MiB go up in parts, one after the other; parts of a put that fails are taken back.
"""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basics.addresses import Resolver, check_host
from basics.errors import Failure
from store.bucket_config import BucketConfig
from store.objects import Conflict, Entry, Flag, checked, pieces, too_large, unless_cancelled

PART_BYTES = 8 << 20
LONGEST_URL_SECONDS = 604_800
"""SigV4's limit: seven days."""
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a bucket may take. A call fails within about `attempts` times the sum of both."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    """Between two bytes of an answer."""
    attempts: int = 2


class Bucket:
    def __init__(self, config: BucketConfig, patience: Patience = Patience(), resolve: Resolver | None = None) -> None:
        self.config = config
        self.conditional = True
        """False once the bucket has said that it knows no conditional puts."""
        self._patience = patience
        self._resolve = resolve
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def presigns(self) -> bool:
        return self.config.endpoint.presigns

    def check(self) -> None:
        """Refuses a job's endpoint that is not public, before any work is done for the job. Blocks."""
        self.config.check(self._resolve)

    def put(
        self,
        key: str,
        data: bytes | Path,
        content_type: str = "",
        if_absent: bool = False,
        if_match: str | None = None,
        cancel: Flag | None = None,
    ) -> str:
        whole = self._key(key)
        unless_cancelled(b"", cancel)
        headers = {"ContentType": content_type} if content_type else {}
        conditions = _conditions(if_absent, if_match)
        with self._told():
            if not (conditions and self.conditional):
                self._check_by_hand(whole, if_absent, if_match)
                return self._send(whole, data, headers, {}, cancel)
            try:
                return self._send(whole, data, headers, conditions, cancel)
            except self._s3.ClientError as error:
                if self._s3.status_of(error) != 501:
                    raise
                self.conditional = False
        return self.put(key, data, content_type, if_absent, if_match, cancel)

    def get(self, key: str, limit_bytes: int | None = None) -> tuple[bytes, str]:
        with self._told():
            found = self._client.get_object(Bucket=self.config.bucket, Key=self._key(key))
            with found["Body"] as body:
                return _read(body, limit_bytes), _bare(found["ETag"])

    def fetch(self, key: str, into: Path) -> None:
        """A large object into a file, bit by bit. What stands there halfway is the caller's to take away."""
        with self._told():
            found = self._client.get_object(Bucket=self.config.bucket, Key=self._key(key))
            with found["Body"] as body, into.open("wb") as file:
                while part := body.read(PART_BYTES):
                    file.write(part)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        before = self.config.prefix
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.config.bucket, Prefix=before + prefix
        )
        with self._told():
            for page in pages:
                for found in page.get("Contents", ()):
                    modified = found["LastModified"].timestamp()
                    yield Entry(found["Key"].removeprefix(before), found["Size"], _bare(found["ETag"]), modified)

    def delete(self, key: str) -> None:
        with self._told():
            self._client.delete_object(Bucket=self.config.bucket, Key=self._key(key))

    def presign(self, key: str, seconds: int) -> str:
        if not self.presigns:
            raise unsigned(self.config)
        if not 1 <= seconds <= LONGEST_URL_SECONDS:
            raise Failure("misconfigured", f"A URL works from 1 to {LONGEST_URL_SECONDS} seconds.")
        with self._told():
            target = {"Bucket": self.config.bucket, "Key": self._key(key)}
            return str(self._client.generate_presigned_url("get_object", Params=target, ExpiresIn=seconds))

    def local_path(self, key: str) -> Path | None:
        return None

    def close(self) -> None:
        """Lets go of its connections. The next call makes new ones."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def _send(
        self, key: str, data: bytes | Path, headers: dict[str, str], conditions: dict[str, str], cancel: Flag | None
    ) -> str:
        target = {"Bucket": self.config.bucket, "Key": key}
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        if size > PART_BYTES:
            return self._send_parts(target, data, headers, conditions, cancel)
        body = data.read_bytes() if isinstance(data, Path) else data
        return _bare(self._client.put_object(**target, Body=body, **headers, **conditions)["ETag"])

    def _send_parts(
        self,
        target: dict[str, str],
        data: bytes | Path,
        headers: dict[str, str],
        conditions: dict[str, str],
        cancel: Flag | None,
    ) -> str:
        begun = self._client.create_multipart_upload(**target, **headers)
        upload = {**target, "UploadId": begun["UploadId"]}
        try:
            done = [
                {"PartNumber": number, "ETag": self._client.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
                for number, part in enumerate(pieces(data, PART_BYTES, cancel), 1)
            ]
            unless_cancelled(b"", cancel)
            ended = self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done}, **conditions)
        except BaseException:
            self._abort(upload)
            raise
        return _bare(ended["ETag"])

    def _abort(self, upload: dict[str, str]) -> None:
        """Tried once: a bucket that is gone cannot be tidied, and the first failure is the one to tell."""
        try:
            self._client.abort_multipart_upload(**upload)
        except (self._s3.ClientError, self._s3.BotoCoreError):
            return

    def _check_by_hand(self, key: str, if_absent: bool, if_match: str | None) -> None:
        if not if_absent and if_match is None:
            return
        try:
            found = _bare(self._client.head_object(Bucket=self.config.bucket, Key=key)["ETag"])
        except self._s3.ClientError as error:
            if self._s3.status_of(error) != 404:
                raise
            found = None
        if found is not None if if_absent else found != if_match:
            raise Conflict

    def _key(self, key: str) -> str:
        return checked(self.config.prefix + checked(key))

    @functools.cached_property
    def _s3(self) -> Any:
        import store.client  # loads boto3

        return store.client

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                waits = self._patience
                allow = self.config.allow_hosts
                judge = None if allow is None else functools.partial(self._judge, allow)
                self._made = self._s3.connect(
                    self.config, waits.connect_seconds, waits.read_seconds, waits.attempts, judge
                )
            return self._made

    def _judge(self, allow_hosts: tuple[str, ...], host: str, port: int) -> tuple[str, ...]:
        return check_host(host, port, allow_hosts, self._resolve, "s3Config.endpointUrl")

    def _told(self) -> Any:
        return self._s3.told(self.config.endpoint.host)


def unsigned(config: BucketConfig) -> Failure:
    return Failure(
        "misconfigured",
        f"The bucket at {config.endpoint.host} is a RunPod network volume, and volumes sign no URLs.",
        hint="Use a bucket of S3, R2, B2 or the like for `url`, or `delivery: volume` with the volume mounted.",
    )


def _conditions(if_absent: bool, if_match: str | None) -> dict[str, str]:
    conditions = {"IfNoneMatch": "*"} if if_absent else {}
    return conditions if if_match is None else {**conditions, "IfMatch": f'"{if_match}"'}


def _bare(etag: str) -> str:
    return etag.strip('"')


def _read(body: Any, limit_bytes: int | None) -> bytes:
    if limit_bytes is None:
        return bytes(body.read())
    data = bytearray()
    while piece := body.read(READ_BYTES):
        data += piece
        if len(data) > limit_bytes:
            raise too_large(limit_bytes)
    return bytes(data)
