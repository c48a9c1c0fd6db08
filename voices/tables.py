"""What the commands of `python -m voices` print: tables of what was found out elsewhere."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from voices.picking import Study, Verdict, fault


def voices(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("id", "name", "language", "seconds", "score", "tags", "transcript", "warnings")
    for row in rows:
        quality = row.get("quality") or {}
        table.add_row(
            *_plain(
                row["id"],
                row.get("name", ""),
                row.get("language", ""),
                f"{row['duration']:.1f}" if row.get("duration") else "",
                f"{quality['score']:.2f}" if quality else "",
                ", ".join(row.get("tags") or ()),
                row.get("transcript_state", ""),
                str(len(quality.get("warnings") or ())) if quality else "",
            )
        )
    return table


def voice(row: dict[str, Any]) -> Table:
    table = _table()
    for name, value in row.items():
        if name == "quality" and isinstance(value, dict):
            for part, number in value.items():
                if part != "warnings":
                    table.add_row(*_plain(part.replace("_", " "), number))
            for words in value.get("warnings") or ():
                table.add_row("warning", escape(words))
        elif value not in ("", None, [], {}):
            table.add_row(*_plain(name.replace("_", " "), value))
    return table


def verdicts(studies: Sequence[Study], found: Sequence[Verdict]) -> Table:
    table = _table("recording", "seconds", "speech", "dB over noise", "used", "which part, or why not")
    for study, verdict in zip(studies, found, strict=True):
        table.add_row(*_plain(study.name, *_numbers(study), "yes" if verdict.used else "no", verdict.why))
    return table


def checked(studies: Sequence[Study]) -> Table:
    table = _table("recording", "seconds", "speech", "dB over noise", "score", "what is wrong with it")
    for study in studies:
        score = f"{study.quality.score:.2f}" if study.quality else ""
        table.add_row(*_plain(study.name, *_numbers(study), score, "; ".join(complaints(study)) or "nothing"))
    return table


def complaints(study: Study) -> list[str]:
    said = list(study.quality.warnings) if study.quality else []
    # What rules a recording out is often one of its warnings in other words.
    if study.why_not and not (study.quality and fault(study.quality) == study.why_not and said):
        said.insert(0, study.why_not)
    return said


def kept(rows: Iterable[dict[str, Any]]) -> Table:
    table = _table("voice", "usable", "score", "what is wrong with it")
    for row in rows:
        score = f"{row['score']:.2f}" if row.get("score") is not None else ""
        table.add_row(
            *_plain(row["id"], "yes" if row["usable"] else "no", score, "; ".join(row["complaints"]) or "nothing")
        )
    return table


def engines(rows: Iterable[dict[str, Any]]) -> Table:
    table = _table("model", "ready", "similarity", "why not")
    for row in rows:
        alike = f"{row['similarity']:.2f}" if "similarity" in row else ""
        table.add_row(*_plain(row["model"], "yes" if row["ready"] else "no", alike, row.get("message", "")))
    return table


def _table(*columns: str) -> Table:
    """Long words are folded: a name that is cut short names nothing."""
    table = Table(show_header=bool(columns))
    for column in columns or ("", ""):
        table.add_column(column, overflow="fold")
    return table


def show(console: Console, table: Table) -> None:
    """Piped into a file, a table is not cut to eighty columns."""
    console.print(table, width=None if console.is_terminal else 200)


def _numbers(study: Study) -> tuple[str, str, str]:
    quality = study.quality
    seconds = f"{study.seconds:.1f}" if study.seconds else ""
    return (seconds, f"{quality.speech_seconds:.1f}", f"{quality.snr_db:.0f}") if quality else (seconds, "", "")


def _plain(*values: Any) -> list[str]:
    return [escape(", ".join(map(str, value)) if isinstance(value, list) else str(value)) for value in values]
