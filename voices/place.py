"""Where voices are kept: what VOICES says, else the first voices folder there is. Reaches nothing."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from basics.errors import Failure
from basics.settings import VOLUME, Settings
from store.bucket import Bucket
from store.bucket_config import PARTS, BucketConfig
from store.cached import Cached
from store.endpoint import understood
from store.folder import Folder
from store.objects import Objects, checked
from voices.record import FILE
from voices.sources import Shelf

FOLDERS = (Path("/voices"), VOLUME / "voices", Path("/workspace/voices"))
OTHERWISE = Path("voices_data")
ADDRESS = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(?P<prefix>.*))?")


@dataclass(frozen=True, slots=True)
class Place:
    objects: Objects
    shelves: tuple[Shelf, ...] = ()
    """Its buckets, as places that references may be read from."""


def place(settings: Settings, folders: Sequence[Path] = FOLDERS) -> Place:
    """Raises `misconfigured`."""
    named = settings.voices or (str(next((folder for folder in folders if folder.is_dir()), OTHERWISE)),)
    if len(named) > 2:
        raise Failure("misconfigured", "VOICES names one place, or two by comma.")
    places = [_place(name, settings) for name in named]
    shelves = tuple(Shelf(each.config.bucket, each.config.prefix, each) for each in places if isinstance(each, Bucket))
    if len(places) == 1:
        return Place(places[0], shelves)
    return Place(Cached(places[0], places[1], lambda key: not key.endswith(f"/{FILE}")), shelves)


def _place(name: str, settings: Settings) -> Objects:
    if "://" not in name:
        return Folder(Path(name))
    address = ADDRESS.fullmatch(name)
    if address is None:
        raise Failure("misconfigured", "VOICES is a folder or `s3://bucket/prefix`.")
    return Bucket(_config(address["bucket"], address["prefix"] or "", settings))


def _config(bucket: str, prefix: str, settings: Settings) -> BucketConfig:
    """The worker's own credentials, in the bucket that VOICES names."""
    config, _ = BucketConfig.of_worker(settings)
    if config is None:
        raise Failure("misconfigured", f"VOICES names a bucket, which needs {', '.join(PARTS)}.")
    if bucket != config.bucket:
        config = dataclasses.replace(
            config,
            bucket=bucket,
            endpoint=understood(settings.bucket_endpoint_url, bucket, settings.bucket_region),
        )
    bare = prefix.strip("/")
    try:
        return dataclasses.replace(config, prefix=f"{checked(bare)}/" if bare else "")
    except Failure:
        raise Failure("misconfigured", "VOICES: the prefix must be a relative path.") from None
