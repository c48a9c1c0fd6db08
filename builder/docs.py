"""Writes the documents that code knows best: `make docs`. With `--check` it only says which are out of date.

Settings, error codes and models each have one table in the code; what people read is made from it here.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from basics.errors import CODES
from basics.settings import variables
from models.card import Card
from models.catalogue import card
from models.groups import Entry, table

ROOT = Path(__file__).parent.parent
EXAMPLE = '{"code": "invalid_input", "message": "...", "field": "speed", "hint": "...", "retryable": false}'
BEGIN, END = "<!-- models: written by `make docs` -->", "<!-- end of models -->"


def configuration() -> str:
    rows = [_setting(name, info) for name, info in variables()]
    return "\n".join(
        [
            "# Configuration",
            "",
            "Written from `basics/settings.py` by `make docs`. Everything is read from the environment once, at start;",
            "a field of the request goes before a setting. An empty variable counts as absent. A wrong value ends the",
            "worker with code 2 and one line when it is run by hand; on the platform each job is answered with it.",
            "",
            *_table(("variable", "default", "meaning"), rows),
        ]
    )


def _setting(name: str, info: FieldInfo) -> tuple[str, ...]:
    extra: Mapping[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    default = str(extra.get("shown", "")) or shown(info.default)
    return f"`{name}`", default, info.description or ""


def shown(default: object) -> str:
    """A default as the environment would spell it."""
    if isinstance(default, bool):
        return f"`{int(default)}`"
    if isinstance(default, int | float):
        return f"`{default:.10g}`"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f"`{default}`" if default else "none"


def errors() -> str:
    rows = [
        (f"`{name}`", str(code.status), "yes" if code.retryable else "no", code.meaning)
        for name, code in sorted(CODES.items())
    ]
    return "\n".join(
        [
            "# Errors",
            "",
            "Written from `basics/errors.py` by `make docs`. A job that fails has no output; its `error` is this",
            "object as a JSON string, and the stream's last event carries the same:",
            "",
            "```json",
            EXAMPLE,
            "```",
            "",
            "`field`, `hint` and `position` are there when they help. `retryable` says whether the same request may",
            "succeed later, unchanged. HTTP is the status that a server in front of the worker answers with.",
            "",
            *_table(("code", "HTTP", "retryable", "meaning"), rows),
        ]
    )


def readme() -> str:
    head, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition(BEGIN)
    return f"{head}{BEGIN}\n{models()}{END}{rest.partition(END)[2]}"


def models() -> str:
    rows = [_model(entry, card(entry)) for entry in table()]
    return "\n".join(_table(("model", "group", "languages", "clones", "licence", "here"), [row for row in rows if row]))


def _model(entry: Entry, about: Card) -> Sequence[str]:
    if about.hidden:
        return ()
    languages = ", ".join(about.languages) if len(about.languages) <= 6 else f"{len(about.languages)} languages"
    clones = "yes" if about.clones else "no"
    return f"`{entry.id}`", f"`{entry.group}`", languages, clones, about.licence, "yes" if entry.engine else "not yet"


def hub_dockerfile() -> str:
    """The Hub builds without arguments, and a listing is of one image: the one that is complete."""
    return (ROOT / "Dockerfile").read_text().replace("ARG GROUP=cloning", "ARG GROUP=embedded")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines: list[Sequence[str]] = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines] + [""]


DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration,
    "docs/errors.md": errors,
    "README.md": readme,
    ".runpod/Dockerfile": hub_dockerfile,
}


def stale() -> list[str]:
    """Documents that are not what the code says."""
    return [name for name, write in DOCUMENTS.items() if not _is(ROOT / name, write())]


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str]) -> int:
    old = stale()
    if "--check" in arguments:
        for name in old:
            print(f"{name} is not what the code says: run `make docs` and commit it.")
        return 1 if old else 0
    for name in old:
        (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
        print(f"Wrote {name}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
