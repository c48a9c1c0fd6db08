"""Which bucket: the worker's own, from its settings, or a job's, from `s3Config`. Keys are never shown.

A job's endpoint is a caller's address: it must be public or allowed by name, is judged by `check` before any
work is done for the job, and again at each connection.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from basics.addresses import Resolver, check_public
from basics.errors import Failure
from basics.settings import Settings
from store.endpoint import Endpoint, understood
from store.objects import checked

PARTS = {
    "BUCKET_ENDPOINT_URL": "bucket_endpoint_url",
    "BUCKET_ACCESS_KEY_ID": "bucket_access_key_id",
    "BUCKET_SECRET_ACCESS_KEY": "bucket_secret_access_key",
    "BUCKET_NAME": "bucket_name",
}
"""Variables without which there is no bucket, and the settings that hold them."""

NEEDED = ("accessId", "accessSecret", "bucketName", "endpointUrl")
OPTIONAL = ("region", "prefix")
LONGEST_CHARS = 2048
BUCKET_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}"


@dataclass(frozen=True, slots=True)
class BucketConfig:
    endpoint: Endpoint
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    prefix: str = ""
    """Before every key: empty, or ending in a slash."""
    allow_hosts: tuple[str, ...] | None = None
    """Of a job's bucket: hosts that may be private. None: the worker's own bucket, which may be anywhere."""

    @classmethod
    def of_worker(cls, settings: Settings) -> tuple["BucketConfig | None", str | None]:
        """The worker's bucket, if all of it is set; else the line that names what is missing, if some is."""
        missing = [variable for variable, name in PARTS.items() if not getattr(settings, name)]
        if len(missing) == len(PARTS):
            return None, None
        if missing:
            return None, f"The bucket is not used: {', '.join(missing)} not set."
        return cls._of_settings(settings), None

    @classmethod
    def of_job(cls, given: Any, allow_hosts: tuple[str, ...] = ()) -> "BucketConfig":
        """Reads `s3Config` and reaches nothing. `invalid_input` names the field, never its value."""
        parts = _parts(given)
        config = cls(
            endpoint=_endpoint(parts["endpointUrl"], parts["bucketName"], parts.get("region", "")),
            bucket=parts["bucketName"],
            access_key=parts["accessId"],
            secret_key=parts["accessSecret"],
            prefix=_prefix(parts.get("prefix", ""), _wrong("prefix", "must be a relative path")),
            allow_hosts=tuple(allow_hosts),
        )
        if not re.fullmatch(BUCKET_NAME, config.bucket):
            raise _wrong("bucketName", "is not a bucket's name")
        return config

    @classmethod
    def _of_settings(cls, settings: Settings) -> "BucketConfig":
        name = settings.bucket_name
        if not re.fullmatch(BUCKET_NAME, name):
            raise Failure("misconfigured", "BUCKET_NAME is not a bucket's name.")
        try:
            endpoint = understood(settings.bucket_endpoint_url, name, settings.bucket_region)
        except ValueError as error:
            raise Failure("misconfigured", f"BUCKET_ENDPOINT_URL cannot be used: {error}.") from None
        return cls(
            endpoint=endpoint,
            bucket=name,
            access_key=settings.bucket_access_key_id,
            secret_key=settings.bucket_secret_access_key,
            prefix=_prefix(settings.bucket_prefix, Failure("misconfigured", "BUCKET_PREFIX must be a relative path.")),
        )

    def check(self, resolve: Resolver | None = None) -> None:
        """Refuses a job's endpoint that is not public. Asks for names, so it blocks."""
        if self.allow_hosts is None:
            return
        try:
            check_public(self.endpoint.url, self.allow_hosts, resolve, "s3Config.endpointUrl")
        except Failure as failure:
            if failure.code != "reference_unreachable":
                raise
            raise Failure("storage_failed", failure.message, field=failure.field) from None


def _parts(given: Any) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise Failure("invalid_input", "s3Config must be an object.", field="s3Config")
    for name in given:
        if name not in NEEDED + OPTIONAL:
            raise _wrong(str(name)[:64], f"is unknown; s3Config has {', '.join(NEEDED)}, and may have region, prefix")
    for name in NEEDED:
        if name not in given:
            raise _wrong(name, "is missing")
    parts = {name: value for name, value in given.items() if value is not None or name in NEEDED}
    for name, value in parts.items():
        if not isinstance(value, str) or (name in NEEDED and not value) or len(value) > LONGEST_CHARS:
            raise _wrong(name, f"must be text of 1 to {LONGEST_CHARS} characters")
        if name not in ("endpointUrl", "prefix") and not re.fullmatch(r"[\x21-\x7e]*", value):
            raise _wrong(name, "must be printable ASCII without blanks")
    return parts


def _endpoint(url: str, bucket: str, region: str) -> Endpoint:
    try:
        return understood(url, bucket, region)
    except ValueError as error:
        raise _wrong("endpointUrl", f"cannot be used: {error}") from None


def _prefix(prefix: str, wrong: Failure) -> str:
    bare = prefix.strip("/")
    if not bare:
        return ""
    try:
        return f"{checked(bare)}/"
    except Failure:
        raise wrong from None


def _wrong(name: str, why: str) -> Failure:
    return Failure("invalid_input", f"s3Config.{name} {why}.", field=f"s3Config.{name}")
