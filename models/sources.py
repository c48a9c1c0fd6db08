"""Weights that are nowhere on the hub: a folder of the network volume, or a prefix of the worker's bucket.

A folder is used where it lies, read-only; a prefix is copied once, each file whole or not at all. Only the worker's
own credentials are used, within its own prefix, as for references.
"""

import hashlib
import logging
import uuid
from pathlib import Path, PurePosixPath

from basics.errors import Failure
from basics.settings import VOLUME, Settings
from models.groups import Entry
from models.own import SOURCE
from store.bucket import Bucket
from store.bucket_config import BucketConfig
from store.objects import checked

log = logging.getLogger("worker.weights")

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".onnx", ".ckpt")


def located(entry: Entry, settings: Settings, into: Path) -> Path:
    """The folder with weights that are not the hub's; blocks while they are copied."""
    match = SOURCE.fullmatch(entry.source)
    if match is None:
        raise TypeError(f"{entry.source} is no source")
    found = folder_of(match["path"]) if match["path"] else copied(match["bucket"], match["prefix"], into, settings)
    verify(found, entry)
    return found


def folder_of(path: str, volume: Path = VOLUME) -> Path:
    """The folder, or the one that holds the file. Raises `weights_missing`; links may not lead out of the volume."""
    try:
        found = (volume / checked(path)).resolve()
    except Failure:
        raise Failure("misconfigured", "`weights`: volume: takes a path within the volume.") from None
    if not found.is_relative_to(volume.resolve()):
        raise Failure("misconfigured", "`weights`: the path leads out of the volume.")
    if not found.exists():
        raise Failure("weights_missing", "The weights are not on the network volume, or no volume is mounted.")
    return found if found.is_dir() else found.parent


def copied(bucket: str, key: str, into: Path, settings: Settings) -> Path:
    """All files below the address, in `into`; those that are there and as large stay."""
    config, _ = BucketConfig.of_worker(settings)
    if config is None or config.bucket != bucket or not key.startswith(config.prefix):
        message = "`weights`: s3:// reaches the worker's own bucket only, BUCKET_NAME below BUCKET_PREFIX."
        raise Failure("misconfigured", message)
    own = Bucket(config)
    try:
        prefix = key[len(config.prefix) :].rstrip("/") + "/"
        listed = list(own.list(prefix))
        if not listed:
            raise Failure("weights_missing", "There are no weights under the address that `weights` names.")
        for entry in listed:
            name = PurePosixPath(checked(entry.key[len(prefix) :]))
            target = into / name
            if not (target.is_file() and target.stat().st_size == entry.size):
                _copy(own, entry.key, target)
    finally:
        own.close()
    return into


def _copy(own: Bucket, key: str, target: Path) -> None:
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        own.fetch(key, part)
        part.replace(target)
    except OSError as error:
        raise Failure("storage_failed", f"The weights could not be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def verify(folder: Path, entry: Entry) -> None:
    """Compares the checksum of the largest weights file, where one was given. Raises `weights_missing`."""
    if not entry.sha256:
        return
    files = [path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.is_file()]
    if not files:
        raise Failure("weights_missing", f"`{entry.id}` has no file of weights.", field="model")
    largest = max(files, key=lambda path: path.stat().st_size)
    with largest.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry.sha256:
        message = f"The weights of `{entry.id}` are not those that `sha256` names: {largest.name} differs."
        raise Failure("weights_missing", message, field="model")
    log.info("weights_checked", extra={"model": entry.id, "file": largest.name})
