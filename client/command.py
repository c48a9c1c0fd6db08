"""The command `tts`: say, batch, voices, models, jobs."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .asking import HERE
from .batch import items, progress, spoken
from .blocking import Client
from .errors import InvalidRequest, TTSError
from .player import Player

FIELDS = ("model", "voice", "language", "speed", "pitch", "format", "seed", "take", "instructions", "bitrate")
FORMATS = ("wav", "mp3", "opus", "ogg", "flac", "aac", "pcm", "mulaw", "alaw")


def parser() -> argparse.ArgumentParser:
    where = _where(argparse.SUPPRESS, argparse.SUPPRESS, argparse.SUPPRESS, argparse.SUPPRESS)
    defaults = (os.environ.get("TTS_URL", ""), os.environ.get("TTS_ENDPOINT", ""), "", False)
    about = "Speech from a worker-tts server, or a RunPod endpoint."
    top = argparse.ArgumentParser("tts", description=about, parents=[_where(*defaults)])
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    say = commands.add_parser("say", parents=[where], help="speak a text, into a file or aloud")
    say.add_argument("text", help="`-` reads it from standard input")
    say.add_argument("--out", help="the file; `-` is standard output; without it speech.FORMAT")
    say.add_argument("--play", action="store_true", help="aloud, while it is made")
    _spoken_with(say)
    say.set_defaults(run=_say)
    batch = commands.add_parser("batch", parents=[where], help="a file for each line, paragraph or row of a CSV")
    batch.add_argument("source", type=Path)
    batch.add_argument("--out", type=Path, default=Path("out"), help="the folder")
    batch.add_argument("--by", choices=("line", "paragraph"), default="line")
    batch.add_argument("--at-once", type=int, default=4, metavar="N")
    _spoken_with(batch)
    batch.set_defaults(run=_batch)
    for name, help, columns, filters in LISTS:
        each = commands.add_parser(name, parents=[where], help=help)
        for filter in filters:
            each.add_argument(f"--{filter}", type=int if filter == "page" else str)
        each.set_defaults(run=_listed, what=name, columns=columns, filters=filters)
        if name == "jobs":
            each.add_argument("id", nargs="?", help="of one job, to be told all of it")
            each.add_argument("--cancel", action="store_true", help="that job")
            each.add_argument("--out", help="a file for that job's sound")
            each.set_defaults(run=_jobs)
    return top


LISTS = (
    ("voices", "the library's voices", ("id", "name", "language", "duration"), ("search", "language")),
    ("models", "the models, and which are served", ("id", "group", "served", "resident"), ()),
    ("jobs", "the newest jobs of the history", ("id", "status", "model", "voice"), ("status", "search", "page")),
)


def _where(url: str, endpoint: str, key: str, json: str | bool) -> argparse.ArgumentParser:
    """Taken before the command and behind it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", default=url, help=f"the server; TTS_URL, else {HERE}")
    common.add_argument("--endpoint", default=endpoint, help="a RunPod endpoint's id instead; TTS_ENDPOINT")
    common.add_argument("--key", default=key, help="better in TTS_KEY, or RUNPOD_API_KEY for an endpoint")
    common.add_argument("--json", action="store_true", default=json, help="answers as JSON")
    return common


def _spoken_with(command: argparse.ArgumentParser) -> None:
    for name in FIELDS:
        kind: Any = float if name in ("speed", "pitch") else int if name in ("take", "bitrate") else str
        command.add_argument(f"--{name}", type=kind, choices=FORMATS if name == "format" else None)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    try:
        with _client(asked) as client:
            return int(asked.run(client, asked))
    except TTSError as error:
        told = {"error": {"code": error.code, "message": str(error), "field": error.field}}
        sys.stderr.write((json.dumps(told) if asked.json else f"{error.code}: {error}") + "\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _client(asked: argparse.Namespace) -> Client:
    if asked.endpoint:
        key = asked.key or os.environ.get("RUNPOD_API_KEY", "")
        base = os.environ.get("RUNPOD_ENDPOINT_BASE_URL", "")
        return Client(f"{base}/{asked.endpoint}", key) if base else Client.endpoint(asked.endpoint, key)
    return Client(asked.url or HERE, asked.key or os.environ.get("TTS_KEY", ""))


def _fields(asked: argparse.Namespace) -> dict[str, Any]:
    fields = {name: getattr(asked, name) for name in FIELDS if getattr(asked, name) is not None}
    if str(fields.get("seed", "")).lstrip("-").isdigit():
        fields["seed"] = int(fields["seed"])
    return fields


def _say(client: Client, asked: argparse.Namespace) -> int:
    text = sys.stdin.read() if asked.text == "-" else asked.text
    fields = _fields(asked)
    if asked.play:
        return _play(client, text, fields, asked)
    speech = client.say(text, **fields)
    for warning in speech.warnings:
        sys.stderr.write(f"{warning}\n")
    if asked.out == "-":
        sys.stdout.buffer.write(speech.data)
        return 0
    path = speech.save(asked.out or f"speech.{speech.format}")
    _tell(asked, {"path": str(path), **speech.answer}, f"{path}: {speech.duration:.2f} s")
    return 0


def _play(client: Client, text: str, fields: dict[str, Any], asked: argparse.Namespace) -> int:
    if fields.setdefault("format", "mp3") != "mp3":
        raise InvalidRequest("--play streams mp3; leave --format out.", code="invalid_input", field="format")
    with ExitStack() as stack:
        player = stack.enter_context(Player())
        file = stack.enter_context(Path(asked.out).open("wb")) if asked.out and asked.out != "-" else None
        stream = stack.enter_context(client.stream(text, **fields))
        for piece in stream:
            player.feed(piece)
            if file is not None:
                file.write(piece)
    return 0


def _batch(client: Client, asked: argparse.Namespace) -> int:
    wanted = items(asked.source, asked.by)
    show, failed = progress(len(wanted)), 0
    for done, outcome in enumerate(spoken(client, wanted, asked.out, _fields(asked), max(1, asked.at_once)), 1):
        if outcome.error is not None:
            failed += 1
            sys.stderr.write(f"{outcome.item.name}: {outcome.error.code}: {outcome.error}\n")
        show(done, failed)
    counts = {"done": len(wanted) - failed, "failed": failed}
    _tell(asked, {"out": str(asked.out), **counts}, f"{asked.out}: {counts['done']} done, {failed} failed")
    return 1 if failed else 0


def _listed(client: Client, asked: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = getattr(client, asked.what)(**{name: getattr(asked, name) for name in asked.filters})
    if asked.json:
        _tell(asked, {asked.what: rows}, "")
        return 0
    for row in rows:
        sys.stdout.write("\t".join(str(row.get(column, "")) for column in asked.columns) + "\n")
    return 0


def _jobs(client: Client, asked: argparse.Namespace) -> int:
    if asked.id is None:
        if asked.cancel or asked.out:
            raise InvalidRequest("Name the job.", code="invalid_input", field="id")
        return _listed(client, asked)
    if asked.cancel:
        client.ask("jobs.cancel", id=asked.id)
        _tell(asked, {"cancelled": asked.id}, f"{asked.id}: cancelled")
        return 0
    if asked.out:
        data = client.fetch(client.ask("jobs.audio", id=asked.id))
        Path(asked.out).write_bytes(data)
        _tell(asked, {"path": asked.out, "bytes": len(data)}, asked.out)
        return 0
    job = client.ask("jobs.get", id=asked.id).fields["job"]
    _tell(asked, {"job": job}, "\n".join(f"{name}\t{value}" for name, value in job.items() if value not in (None, "")))
    return 0


def _tell(asked: argparse.Namespace, told: dict[str, Any], line: str) -> None:
    sys.stdout.write((json.dumps(told) if asked.json else line) + "\n")
