"""Where a model's files are on this worker, and getting them where they are not.

Looks in `WEIGHTS_DIR`, in what the platform cached, in `MODEL_CACHE_DIR`, and asks the hub last, which fills the
latter. A folder counts only when every file is there and whole. Knows no engines: it hands over a folder.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from basics.errors import Failure
from basics.settings import VOLUME, Settings
from models.catalogue import card
from models.groups import Entry, File
from models.hub import Hub, Progress, length
from models.sources import located, verify

PLATFORM_CACHE = VOLUME / "huggingface-cache" / "hub"
RECORD = ".fetched.json"
"""Written into a folder before it is filled: which files belong there, and of which revision."""
LICENCE = "LICENCE.txt"


def find(entry: Entry, settings: Settings, platform_cache: Path = PLATFORM_CACHE) -> Path:
    """The folder with the model's files. Raises `weights_missing` with the command that fetches them."""
    roots = dict.fromkeys((settings.weights, settings.model_cache))
    if not entry.needs_weights:
        # Its package has all it needs; the folder may hold more.
        return next((root / entry.id for root in roots if (root / entry.id).is_dir()), settings.weights / entry.id)
    for place in (settings.weights / entry.id, cached(entry, platform_cache), settings.model_cache / entry.id):
        if place is not None and is_whole(place, entry, settings.dtype):
            return place
    raise Failure(
        "weights_missing",
        f"The files of `{entry.id}` are not on this worker, or not whole; "
        f"`python -m builder.fetch_weights --group {entry.group} --model {entry.id}` fetches them.",
        field="model",
    )


def obtain(
    entry: Entry,
    settings: Settings,
    hub: Hub | None = None,
    platform_cache: Path = PLATFORM_CACHE,
    progress: Progress | None = None,
) -> Path:
    """As `find`, and asks the hub where nothing is found."""
    if entry.source and not entry.repository:
        return located(entry, settings, settings.model_cache / entry.id)
    try:
        return find(entry, settings, platform_cache)
    except Failure:
        into = settings.model_cache / entry.id
        fetch(entry, into, hub or Hub(settings.hf_endpoint.rstrip("/"), settings.hf_token), settings.dtype, progress)
        verify(into, entry)
        return into


def fetch(entry: Entry, into: Path, hub: Hub, dtype: str = "", progress: Progress | None = None) -> None:
    """Every file that the model wants, each checked; those that are there and whole stay as they are."""
    entry = resolved(entry, hub)
    files = wanted(entry, dtype)
    _record(into, entry, files)
    for file in files:
        if not _is_there(into, file):
            address = file.address or hub.address(entry.repository, entry.revision, file.path)
            hub.fetch(address, into / file.path, file.size, file.sha256, progress)


def resolved(entry: Entry, hub: Hub) -> Entry:
    """With a commit for a revision and a list of files, asked of the hub where the table has none."""
    if not entry.repository or (entry.files and entry.revision != "unpinned"):
        return entry
    revision, listed = hub.list(entry.repository, "main" if entry.revision == "unpinned" else entry.revision)
    found = tuple(
        File(each.path, each.size, each.sha256)
        for each in listed
        if any(fnmatch(each.path, pattern) for pattern in (*entry.wanted, "LICEN[SC]E*")) and _is_below(each.path)
    )
    return replace(entry, revision=revision, files=entry.files or found)


def wanted(entry: Entry, dtype: str = "") -> tuple[File, ...]:
    """The files to fetch: of those that differ in precision the one asked for, else the first."""
    variants = [file for file in entry.files if file.dtype]
    chosen = next((file for file in variants if file.dtype == dtype), variants[0] if variants else None)
    return tuple(file for file in entry.files if not file.dtype or file is chosen)


def is_whole(place: Path, entry: Entry, dtype: str = "") -> bool:
    """Whether all that must be there is there, at the size it should have. Checksums were compared when fetched."""
    if not place.is_dir():
        return False
    files = entry.files or _recorded(place)
    if not files:
        return any(place.iterdir())
    variants = [file for file in files if file.dtype]
    plain = [file for file in files if not file.dtype and not file.optional]
    asked = [file for file in variants if file.dtype == dtype] or variants
    return all(_is_there(place, file) for file in plain) and (
        not asked or any(_is_there(place, file) for file in asked)
    )


def cached(entry: Entry, platform_cache: Path = PLATFORM_CACHE) -> Path | None:
    """The snapshot that the platform placed: the pinned one, else what `main` points at, else the only one."""
    if not entry.repository:
        return None
    folder = _without_case(platform_cache, f"models--{entry.repository.replace('/', '--')}")
    snapshots = folder / "snapshots" if folder is not None else None
    if folder is None or snapshots is None or not snapshots.is_dir():
        return None
    main = folder / "refs" / "main"
    names = [entry.revision, main.read_text().strip() if main.is_file() else ""]
    found = [snapshots / name for name in names if name and (snapshots / name).is_dir()]
    alone = [each for each in snapshots.iterdir() if each.is_dir()]
    return found[0] if found else alone[0] if len(alone) == 1 else None


def _without_case(folder: Path, name: str) -> Path | None:
    if (folder / name).is_dir():
        return folder / name
    if not folder.is_dir():
        return None
    return next((each for each in folder.iterdir() if each.name.lower() == name.lower() and each.is_dir()), None)


def _is_below(path: str) -> bool:
    """A listed name must not climb out of the folder, or into hidden ones."""
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and not any(part.startswith(".") for part in parts)


def _is_there(place: Path, file: File) -> bool:
    held = place / file.path
    return held.is_file() and (file.size is None or length(held) == file.size)


def _record(into: Path, entry: Entry, files: Sequence[File]) -> None:
    told = {"revision": entry.revision, "files": [asdict(file) for file in files]}
    source = entry.repository or next((file.address.rpartition("/")[0] for file in files), "")
    try:
        into.mkdir(parents=True, exist_ok=True)
        (into / RECORD).write_text(json.dumps(told, indent=1))
        (into / LICENCE).write_text(f"{entry.id}: {card(entry).licence}\nFrom {source} at {entry.revision}.\n")
    except OSError as error:
        raise Failure("storage_failed", f"The folder of `{entry.id}` cannot be written: {error.strerror}.") from error


def _recorded(place: Path) -> tuple[File, ...]:
    record = place / RECORD
    return tuple(File(**file) for file in json.loads(record.read_text())["files"]) if record.is_file() else ()
