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
    top = argparse.ArgumentParser("tts", description="Speech from a worker-tts server, or a RunPod endpoint.")
    top.add_argument("--url", default=os.environ.get("TTS_URL", ""), help=f"the server; TTS_URL, else {HERE}")
    top.add_argument("--endpoint", default=os.environ.get("TTS_ENDPOINT", ""), help="a RunPod endpoint's id instead")
    top.add_argument("--key", default="", help="better in TTS_KEY, or RUNPOD_API_KEY for an endpoint")
    top.add_argument("--json", action="store_true", help="answers as JSON")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    say = commands.add_parser("say", help="speak a text, into a file or aloud")
    say.add_argument("text", help="`-` reads it from standard input")
    say.add_argument("--out", help="the file; `-` is standard output; without it speech.FORMAT")
    say.add_argument("--play", action="store_true", help="aloud, while it is made")
    _spoken_with(say)
    say.set_defaults(run=_say)
    batch = commands.add_parser("batch", help="a file for each line, paragraph or row of a CSV")
    batch.add_argument("source", type=Path)
    batch.add_argument("--out", type=Path, default=Path("out"), help="the folder")
    batch.add_argument("--by", choices=("line", "paragraph"), default="line")
    batch.add_argument("--at-once", type=int, default=4, metavar="N")
    _spoken_with(batch)
    batch.set_defaults(run=_batch)
    for name, help, columns in LISTS:
        each = commands.add_parser(name, help=help)
        each.set_defaults(run=_listed, what=name, columns=columns)
    return top


LISTS = (
    ("voices", "the library's voices", ("id", "name", "language", "duration")),
    ("models", "the models, and which are served", ("id", "group", "served", "resident")),
    ("jobs", "the newest jobs of the history", ("id", "status", "model", "voice")),
)


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
    rows: list[dict[str, Any]] = getattr(client, asked.what)()
    if asked.json:
        _tell(asked, {asked.what: rows}, "")
        return 0
    for row in rows:
        sys.stdout.write("\t".join(str(row.get(column, "")) for column in asked.columns) + "\n")
    return 0


def _tell(asked: argparse.Namespace, told: dict[str, Any], line: str) -> None:
    sys.stdout.write((json.dumps(told) if asked.json else line) + "\n")
