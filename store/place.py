"""The store, for all that is no voice: the worker's bucket, else a folder on its volume, else none."""

from pathlib import Path

from basics.settings import VOLUME, Settings
from store.bucket import Bucket
from store.bucket_config import BucketConfig
from store.folder import Folder
from store.objects import Objects


def place(settings: Settings, volume: Path = VOLUME) -> tuple[Objects | None, str | None]:
    """The store, and the one line that warns of a half-set bucket. Reaches nothing."""
    config, warning = BucketConfig.of_worker(settings)
    if config is not None:
        return Bucket(config), warning
    return (Folder(volume / "worker-tts") if volume.is_dir() else None), warning
