"""A voice made of a folder of recordings: what it holds, and how each engine that clones takes the voice.

The steps of `python -m voices clone`. Whom it asks, who listens and who is told of progress are passed in.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from basics.errors import Failure
from listening.activity import Activity
from voices.client import Client
from voices.picking import MOST_SECONDS, Study, study

SOUNDS = frozenset(
    ".wav .mp3 .flac .ogg .opus .m4a .aac .aif .aiff .wma .webm .mp4 .mov .mkv .amr .caf .wv .au".split()
)
FILE_BYTES = 500_000_000
TOTAL_SECONDS = MOST_SECONDS
"""Listened to in all. One to five minutes are plenty; after this nothing better is to be expected."""

Told = Callable[[str], object]


def recordings(folder: Path) -> list[Path]:
    """In order of their names; hidden files and what is no sound by its name are passed over."""
    if not folder.is_dir():
        raise Failure("invalid_input", "The input folder does not exist.", field="input-dir")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS and path.is_file())
    chosen = sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    if not chosen:
        raise Failure(
            "invalid_input", "The input folder holds no recordings.", field="input-dir", hint=f"Known: {_known()}."
        )
    return chosen


def studies(paths: Sequence[tuple[str, Path]], activity: Activity, cancel: threading.Event) -> Iterator[Study]:
    """One for each, as it is done: a name, and the file it stands for."""
    left = TOTAL_SECONDS
    for name, path in paths:
        if left <= 0:
            yield Study(name, why_not=f"not heard: {TOTAL_SECONDS / 60:.0f} minutes came before it")
            continue
        found = _studied(name, path, activity, cancel)
        left -= found.seconds
        yield found


def _studied(name: str, path: Path, activity: Activity, cancel: threading.Event) -> Study:
    try:
        if path.stat().st_size > FILE_BYTES:
            return Study(name, why_not=f"over {FILE_BYTES / 1e6:.0f} MB; cut it into shorter files")
        data = path.read_bytes()
    except OSError as error:
        return Study(name, why_not=f"it cannot be read: {error.strerror}")
    return study(name, data, activity, cancel)


def tried(client: Client, id: str, models: Sequence[str], told: Told) -> Iterator[dict[str, Any]]:
    """Each engine speaks one line in the voice: its conditioning is kept with the voice from then on."""
    for model in models or cloning_models(client):
        told(f"Trying {model}")
        try:
            yield {"model": model, "ready": True, **_alike(client, id, model)}
        except Failure as failure:
            if failure.code == "cancelled":
                raise
            yield {"model": model, "ready": False, "code": failure.code, "message": failure.message}


def cloning_models(client: Client) -> list[str]:
    cards = client.ask("models.list", clones=True, served=True).fields["models"]
    return [card["id"] for card in cards if card["built"]]


def _alike(client: Client, id: str, model: str) -> dict[str, float]:
    try:
        return {"similarity": client.ask("voices.test", id=id, model=model).fields["similarity"]}
    except Failure as failure:
        if failure.code != "not_installed":
            raise
    client.ask("speak", text=LINE, model=model, voice=f"library:{id}", delivery="inline", cache=False)
    return {}


LINE = "One, two, three."


def _known() -> str:
    return " ".join(sorted(suffix[1:] for suffix in SOUNDS))
