"""Fetches models' files before a worker needs them: into an image, a volume, or a laptop's `./weights`.

    python -m builder.fetch_weights --group embedded
    python -m builder.fetch_weights --model kokoro --dtype fp32 --to /weights
    python -m builder.fetch_weights --group cloning --pin

What is there and whole stays; what broke off goes on. `--pin` asks the hub for commits and checksums and writes
them where the worker's table reads them, instead of fetching.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from basics.errors import Failure
from basics.settings import Settings
from models.catalogue import card
from models.environments import ENVIRONMENTS
from models.groups import REVISIONS, Entry, File, table
from models.hub import Hub
from models.weights import fetch, resolved

Say = Callable[[str], object]


def main(arguments: Sequence[str] | None = None, say: Say = sys.stdout.write) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = Settings.read()
        hub = Hub((asked.hub or settings.hf_endpoint).rstrip("/"), settings.hf_token)
        chosen = choose(table(), asked.group, asked.model)
        if asked.pin:
            pin([entry for entry in chosen if entry.repository], hub, asked.pins, say)
        else:
            fetch_all(chosen, asked.to or settings.weights, hub, asked.dtype, settings.accept_licenses, say)
    except Failure as error:
        say(f"{error.message}\n")
        return 1
    return 0


def choose(entries: Sequence[Entry], group: str, model: str) -> list[Entry]:
    """The entries of a group, or one model of it. A model without a group is the first group's that has it."""
    if group and group not in ENVIRONMENTS:
        raise Failure("invalid_input", f"--group: no group `{group}`; there are {', '.join(ENVIRONMENTS)}.")
    found = [entry for entry in entries if group in ("", entry.group) and model in ("", entry.id)]
    if not found:
        raise Failure("unknown_model", f"--model: no model `{model}`" + (f" in `{group}`." if group else "."))
    return found[:1] if model else found


def fetch_all(
    entries: Sequence[Entry], root: Path, hub: Hub, dtype: str, accepted: Sequence[str], say: Say = sys.stdout.write
) -> None:
    for entry in entries:
        if not entry.repository and not entry.files:
            say(f"{entry.id}: needs no files\n")
        elif entry.engine is None:
            say(f"{entry.id}: its engine is not built yet, so nothing is fetched\n")
        elif card(entry).accept and card(entry).accept not in accepted:
            say(f"{entry.id}: fetched only with ACCEPT_LICENSES={card(entry).accept}\n")
        else:
            fetch(entry, root / entry.id, hub, dtype, _Meter(entry.id, say))
            say(f"{entry.id}: there and whole\n")


def pin(entries: Sequence[Entry], hub: Hub, into: Path = REVISIONS, say: Say = sys.stdout.write) -> None:
    """Writes each repository's present commit, and its files' sizes and checksums."""
    pins = json.loads(into.read_text()) if into.is_file() else {}
    for entry in entries:
        revision, listed = hub.list(entry.repository, "main")
        seen = {each.path: each for each in listed}
        found = resolved(replace(entry, revision="unpinned"), hub).files
        files = [_filled(file, seen[file.path].size, seen[file.path].sha256) for file in found if file.path in seen]
        if missing := [file.path for file in found if file.path not in seen and not file.address]:
            raise Failure("weights_missing", f"{entry.repository} has no {missing[0]} any more.")
        pins[entry.key] = {"revision": revision, "files": [asdict(file) for file in files]}
        say(f"{entry.key}: {revision}\n")
    into.write_text(json.dumps(pins, indent=1, sort_keys=True) + "\n")


def _filled(file: File, size: int | None, sha256: str) -> File:
    """A checksum of the table's own is never overwritten: a file that changed must be noticed."""
    if file.sha256 and sha256 and file.sha256 != sha256:
        raise Failure("weights_missing", f"{file.path} is another file on the hub than the table says.")
    return replace(file, size=size, sha256=file.sha256 or sha256)


class _Meter:
    """Says how far a file is, at each tenth of it."""

    def __init__(self, model: str, say: Say) -> None:
        self._model, self._say = model, say
        self._said: tuple[str, int] = ("", -1)

    def __call__(self, name: str, there: int, whole: int | None) -> None:
        tenth = there * 10 // whole if whole else there // 100_000_000
        if (name, tenth) != self._said:
            self._said = (name, tenth)
            far = f"{tenth * 10} %" if whole else f"{there / 1e6:.0f} MB"
            self._say(f"{self._model}: {name} {far}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m builder.fetch_weights", description="Fetch models' files.")
    parser.add_argument("--group", default="", help="a group of models")
    parser.add_argument("--model", default="", help="one model only")
    parser.add_argument("--to", type=Path, help="folder that gets one folder a model; WEIGHTS_DIR unless given")
    parser.add_argument("--dtype", default="", help="precision, where a model's files differ in it")
    parser.add_argument("--hub", default="", help="the hub's address; HF_ENDPOINT unless given")
    parser.add_argument("--pin", action="store_true", help="write revisions and checksums instead of fetching")
    parser.add_argument("--pins", type=Path, default=REVISIONS, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
