"""What a bucket's endpoint says: where to connect, the region to sign for, and whether URLs can be signed.

Pure: reads text, reaches nothing. People write endpoints with the bucket's name in the host, in the path or not
at all, and rarely name the region; the well-known stores tell it by their hosts.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

HOSTS: tuple[tuple[str, str], ...] = (
    (r"s3(?:-fips|-accelerate)?(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2}-[a-z-]+-\d+))?\.amazonaws\.com(?:\.cn)?", ""),
    (r"[a-z0-9]+(?:\.(?:eu|us|fedramp))?\.r2\.cloudflarestorage\.com", "auto"),
    (r"s3\.(?P<region>[a-z0-9-]+)\.backblazeb2\.com", ""),
    (r"(?P<region>[a-z0-9]+)\.digitaloceanspaces\.com", ""),
    (r"s3(?:\.(?P<region>[a-z0-9-]+))?\.wasabisys\.com", ""),
    (r"s3\.(?P<region>[a-z0-9-]+)\.scw\.cloud", ""),
    (r"s3\.(?P<region>[a-z0-9-]+)\.io\.cloud\.ovh\.(?:net|us)", ""),
    (r"(?P<region>[a-z0-9]+)\.your-objectstorage\.com", ""),
    (r"(?P<region>[a-z0-9-]+)\.linodeobjects\.com", ""),
    (r"storage\.googleapis\.com", "auto"),
)
"""Hosts of well-known stores, and their region where the host does not say it."""

VOLUMES = r"s3api-(?P<region>[a-z0-9-]+)\.runpod\.io"
"""RunPod's network volumes: the region is the data centre's id in capitals; URLs cannot be signed."""

ELSEWHERE = "us-east-1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    """Without the bucket's name."""
    host: str
    region: str
    style: str
    """`virtual`: the bucket is part of the host; `path`: of the path."""
    amazon: bool
    presigns: bool


def understood(url: str, bucket: str, region: str = "") -> Endpoint:
    """Raises ValueError with what is wrong, which names no part of the URL."""
    scheme, named, given_port, path = _read(url)
    host, virtual = _without_bucket(named, bucket)
    known = _known(host)
    amazon = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    port = f":{given_port}" if given_port else ""
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(
        url=f"{scheme}://{shown}{port}{_path(path, bucket)}",
        host=host,
        region=region or known or ELSEWHERE,
        style="virtual" if virtual or (amazon and "." not in bucket) else "path",
        amazon=amazon,
        presigns=re.fullmatch(VOLUMES, host) is None,
    )


def _read(url: str) -> tuple[str, str, int | None, str]:
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError("it holds blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("its host or port cannot be read") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("it must begin with https:// and name a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("it must hold no user name, password, query or fragment")
    return parts.scheme, host, port, parts.path


def _without_bucket(host: str, bucket: str) -> tuple[str, bool]:
    """Taken off only before what is surely a store: a server of one's own may be called like its bucket."""
    rest = host.removeprefix(f"{bucket.lower()}.")
    if rest != host and (_known(rest) is not None or re.match(r"s3[.-]", rest)):
        return rest, True
    return host, False


def _path(path: str, bucket: str) -> str:
    kept = path.rstrip("/")
    return kept.removesuffix(f"/{bucket}").rstrip("/")


def _known(host: str) -> str | None:
    """The region of a well-known store, "" where neither host nor store says it, None for any other host."""
    if volume := re.fullmatch(VOLUMES, host):
        return volume["region"].upper()
    for pattern, region in HOSTS:
        if found := re.fullmatch(pattern, host):
            return region or found["region"] or ""
    return None
