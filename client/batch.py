"""Many files in one go: from a text, a line or a paragraph each, or from a CSV with a column for each field."""

import csv
import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .blocking import Client
from .errors import InvalidRequest, TTSError

NUMBERS = {"speed": float, "pitch": float, "take": int, "seed": int, "sample_rate": int, "bitrate": int}
WIDTH = 30


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    """Of its file, without the ending."""
    fields: dict[str, Any]


def items(path: Path, by: str = "line") -> list[Item]:
    """Of a .csv each row is one: `text`, any field of `speak`, and `id` for the file's name."""
    content = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".csv":
        return [_row(number, row) for number, row in enumerate(csv.DictReader(io.StringIO(content)), 1)]
    parts = content.split("\n\n") if by == "paragraph" else content.splitlines()
    texts = [part.strip() for part in parts if part.strip()]
    return [Item(f"{number:04}", {"text": text}) for number, text in enumerate(texts, 1)]


def _row(number: int, row: dict[str, str | None]) -> Item:
    given = {name.strip(): value.strip() for name, value in row.items() if name and isinstance(value, str)}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value and name != "id"}
    for name in NUMBERS.keys() & fields.keys():
        try:
            fields[name] = NUMBERS[name](fields[name])
        except ValueError:
            raise InvalidRequest(f"Row {number}: `{name}` is no number.", code="invalid_input", field=name) from None
    if "text" not in fields:
        raise InvalidRequest(f"Row {number} has no `text`.", code="invalid_input", field="text")
    name = given.get("id") or f"{number:04}"
    if Path(name).name != name or name in (".", ".."):
        raise InvalidRequest(f"Row {number}: `id` is not a file's name.", code="invalid_input", field="id")
    return Item(name, fields)


@dataclass(frozen=True, slots=True)
class Outcome:
    item: Item
    path: Path | None = None
    error: TTSError | None = None


def spoken(client: Client, wanted: list[Item], folder: Path, common: dict[str, Any], at_once: int) -> Iterator[Outcome]:
    """As they are done; each fails alone. Files that are there already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    ahead = iter(wanted)
    with ThreadPoolExecutor(at_once) as pool:
        running: dict[Future[Outcome], Item] = {}
        while True:
            while len(running) < at_once and (item := next(ahead, None)) is not None:
                running[pool.submit(_one, client, item, folder, common)] = item
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                del running[done]
                yield done.result()


def _one(client: Client, item: Item, folder: Path, common: dict[str, Any]) -> Outcome:
    fields = common | item.fields
    path = folder / f"{item.name}.{fields.get('format', 'wav')}"
    if path.exists():
        return Outcome(item, path)
    try:
        speech = client.say(**fields)
    except TTSError as error:
        return Outcome(item, error=error)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(speech.data)
    part.rename(path)
    return Outcome(item, path)


def progress(total: int, out: TextIO = sys.stderr) -> Callable[[int, int], None]:
    """A bar on a terminal, nothing elsewhere."""

    def show(done: int, failed: int) -> None:
        if not out.isatty():
            return
        full = WIDTH * done // max(1, total)
        bad = f", {failed} failed" if failed else ""
        out.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {done}/{total}{bad}" + ("\n" if done == total else ""))
        out.flush()

    return show
