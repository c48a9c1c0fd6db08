"""An S3 client that says exactly what it does, and what its errors mean in our words.

boto3 guesses from the environment; here region, addressing, credentials, patience and checksums come from the
configuration alone. For a job's bucket every connection is judged and goes to the very number that was judged, and
proxies of the environment are not used, since they would connect in our stead. Not covered: how long the system
takes to resolve a name, and a store that answers one byte at a time.

Imported only when a bucket is first used: boto3 takes most of a second.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from basics.errors import Failure
from store.bucket_config import BucketConfig
from store.objects import Conflict

Judge = Callable[[str, int], Sequence[str]]
"""From a host and a port to the numbers to connect to; raises `reference_refused`."""

NUMBERS = 4
"""Of a host's addresses, how many are tried: each may cost a connection's whole patience."""

REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "Forbidden", "401", "403"}
FULL = {"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "507"}
CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
MISSING = {"NoSuchKey", "NotFound", "404"}

_making = threading.Lock()


def connect(
    config: BucketConfig, connect_seconds: float, read_seconds: float, attempts: int, judge: Judge | None
) -> Any:
    endpoint = config.endpoint
    checksums = "when_supported" if endpoint.amazon else "when_required"
    options = Config(
        region_name=endpoint.region,
        signature_version="s3v4",
        s3={"addressing_style": endpoint.style},
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        proxies=None if judge is None else {},
        max_pool_connections=16,
    )
    with _making:  # neither sessions nor the making of clients are thread-safe
        client = _session().client(
            "s3",
            endpoint_url=endpoint.url,
            aws_access_key_id=config.access_key,
            aws_secret_access_key=config.secret_key,
            config=options,
        )
    if judge is not None:
        _pin(client, judge)
    return client


@functools.cache
def _session() -> Any:
    """Reads neither profiles nor files of the machine: a stray AWS_PROFILE must not break a bucket."""
    nothing = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.session.Session(botocore_session=botocore.session.Session(session_vars=nothing))


def _pin(client: Any, judge: Judge) -> None:
    """botocore has no public door to its pools (seen in 1.44); a test fails should these names change."""
    manager = client._endpoint.http_session._manager
    manager.pool_classes_by_scheme = {
        scheme: _pinned(pool, judge) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _pinned(pool: Any, judge: Judge) -> Any:
    connection = pool.ConnectionCls
    plainly = connection._new_conn

    def judged(self: Any) -> Any:
        name, failed = self._dns_host, None
        for number in judge(self.host, self.port)[:NUMBERS]:
            self._dns_host = number
            try:
                return plainly(self)
            except HTTPError as error:
                failed = error
            finally:
                self._dns_host = name
        raise failed or OSError("no address")

    pinned = type(f"Pinned{connection.__name__}", (connection,), {"_new_conn": judged})
    return type(f"Pinned{pool.__name__}", (pool,), {"ConnectionCls": pinned})


@contextmanager
def told(host: str) -> Iterator[None]:
    """What S3 and the network say, in our words: theirs hold addresses, keys of objects and signatures."""
    try:
        yield
    except ClientError as error:
        raise _answered(error, host) from error
    except (BotoCoreError, HTTPError) as error:
        raise _ours(error) or _unanswered(error, host) from error


def status_of(error: Any) -> int:
    """The HTTP status of a ClientError."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answered(error: ClientError, host: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = status_of(error)
    if code in CHANGED:
        return Conflict()
    if code in MISSING:
        return Failure("not_found", "There is no stored file under this key.")
    if code == "NoSuchBucket":
        return _failed(f"There is no such bucket at {host}", retryable=False)
    if code in REFUSED or status in (401, 403):
        return _failed(f"The bucket at {host} did not accept the keys, or they may not do this", retryable=False)
    if code in FULL or status == 507:
        return _failed(f"The bucket at {host} is full")
    return _failed(f"The bucket at {host} answered with status {status}", retryable=status >= 500 or status == 429)


def _unanswered(error: Exception, host: str) -> Failure:
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return _failed(f"The bucket at {host} did not answer in time")
    if isinstance(error, SSLError):
        return _failed(f"No secure connection to the bucket at {host} could be made")
    if isinstance(error, EndpointConnectionError | ConnectionClosedError):
        return _failed(f"The bucket at {host} cannot be reached")
    return _failed(f"The exchange with the bucket at {host} broke off")


def _ours(error: BaseException) -> Failure | None:
    """A refusal of `judge` comes wrapped in botocore's own error."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, Failure):
        inner = inner.__cause__ or inner.__context__
    if inner is not None and inner.code == "reference_unreachable":
        return _failed(inner.message.rstrip("."))
    return inner


def _failed(message: str, retryable: bool = True) -> Failure:
    return Failure("storage_failed", f"{message}.", retryable=retryable)
