"""Where a job's references may be read from: the worker's places, and the bucket that came with the job."""

from pathlib import Path
from typing import Any

from basics.settings import VOLUME
from operations.house import House
from store.bucket import Bucket
from store.bucket_config import BucketConfig
from voices.fetching import Fetching
from voices.sources import Places, Shelf


def reachable(house: House, s3: Any, volume: Path = VOLUME) -> Places:
    """Judges the job's bucket, so it blocks."""
    shelves = house.shelves
    if s3 is not None:
        bucket = Bucket(BucketConfig.of_job(s3, house.settings.allow_hosts))
        bucket.check()
        shelves = (Shelf(bucket.config.bucket, bucket.config.prefix, bucket), *shelves)
    fetching = Fetching(house.library.rules.reference_bytes, allow_hosts=house.settings.allow_hosts)
    return Places(fetching, volume if volume.is_dir() else None, shelves)
