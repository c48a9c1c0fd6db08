"""A job run by hand: from arguments or `test_input.json`, its sound into a folder, and a summary for people.

Knows no SDK and no model: it walks the same road as a job from the queue and writes down what came.
"""

import argparse
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from basics.settings import Settings
from operations.job import Job
from operations.opening import Opening
from operations.queue import job_of, plain

FILE = Path("test_input.json")
FIELDS = ("voice", "model", "format", "language")


def parser() -> argparse.ArgumentParser:
    """The SDK's own arguments stay for the SDK: what is not ours is left alone."""
    asked = argparse.ArgumentParser(prog="handler.py", description="Speaks test_input.json, or what is given here.")
    asked.add_argument("--test_input", metavar="JSON", help='a job: {"input": {"text": "..."}}')
    asked.add_argument("--text", help="what to say")
    for name in FIELDS:
        asked.add_argument(f"--{name}", help=f"the input's `{name}`")
    asked.add_argument("--out", type=Path, help="folder for the sound, ./out unless set")
    asked.add_argument("--rp_serve_api", action="store_true", help="the SDK's local server, on localhost:8000")
    return asked


def job(chosen: argparse.Namespace, strange: Sequence[str]) -> Job:
    """Raises `invalid_input` for what cannot be read as a job, before anything is loaded."""
    if unknown := [name for name in strange if not name.startswith("--rp_") and name.startswith("-")]:
        raise Failure("invalid_input", f"`{unknown[0]}` is no argument; --help names them.")
    raw = {"input": {"text": chosen.text}} if chosen.text else _read(chosen.test_input)
    given = {name: getattr(chosen, name) for name in FIELDS if getattr(chosen, name)}
    return job_of({"id": "speech", **raw, "input": {**raw["input"], **given}})


def _read(written: str | None) -> dict[str, Any]:
    where = "--test_input" if written else FILE.name
    if not written and not FILE.is_file():
        raise Failure("invalid_input", f"There is no {FILE.name} here; say what to speak with --text.")
    try:
        raw = json.loads(written or FILE.read_text("utf-8"))
    except ValueError:
        raise Failure("invalid_input", f"{where} is not JSON.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("input"), dict):
        raise Failure("invalid_input", f'{where} must be {{"input": {{...}}}}.')
    return raw


@dataclass(slots=True)
class Heard:
    """What a job said, kept until it is written down."""

    answer: dict[str, Any] = field(default_factory=dict)
    sound: bytes = b""
    format: str = "wav"
    seconds: float = 0.0
    error: Failure | None = None


async def perform(job: Job, settings: Settings, opened: Opening) -> Heard:
    """The model that a job names is loaded by the job; the default is loaded first, like on the queue."""
    house = await opened(settings, default="model" not in job.input)
    try:
        return await listen(house.answer(job))
    finally:
        await house.close()


async def listen(road: AsyncGenerator[Event, None], clock: Callable[[], float] = time.monotonic) -> Heard:
    heard, began, chunks = Heard(), clock(), []
    async with aclosing(road):
        async for event in road:
            match event:
                case Started():
                    heard.format = event.format
                case Audio():
                    chunks.append(event.data)
                case Done():
                    heard.answer, heard.sound = dict(event.answer), event.data or b""
                case Failed():
                    heard.error = event.error
    heard.sound = heard.sound or b"".join(chunks)
    heard.seconds = clock() - began
    return heard


def write(heard: Heard, folder: Path, name: str) -> str:
    """Puts every sound into the folder; the summary of what was asked for."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "speech"
    answer = _laid_down(heard.answer, folder, stem)
    if heard.sound:
        audio = answer.setdefault("audio", {})
        audio["path"] = _lay_down(heard.sound, folder, stem, str(audio.get("format") or heard.format))
    return summary(answer, heard.seconds) if "audio" in answer else json.dumps(plain(answer), indent=2)


def summary(answer: dict[str, Any], seconds: float) -> str:
    audio, first = answer["audio"], (answer.get("timings") or {}).get("first_audio")
    lines = [f"{audio.get('path') or audio.get('url')}"]
    if (plays := audio.get("duration")) is not None:
        lines.append(f"plays {plays:.2f} s, took {seconds:.2f} s")
    else:
        lines.append(f"took {seconds:.2f} s")
    if first is not None:
        lines[-1] += f", first audio after {first:.2f} s"
    if answer.get("rtf") is not None:
        lines[-1] += f", real-time factor {answer['rtf']:.2f}"
    if spoke := [f"{part} {answer[part]}" for part in ("model", "voice") if answer.get(part)]:
        lines.append(", ".join(spoke))
    return "\n".join(lines + [f"warning: {warning}" for warning in answer.get("warnings") or ()])


def _laid_down(value: Any, folder: Path, stem: str) -> Any:
    """The answer with sound in it replaced by the file it was written to."""
    if isinstance(value, dict):
        kept = {key: _laid_down(item, folder, f"{stem}-{key}") for key, item in value.items() if key != "data"}
        if isinstance(value.get("data"), bytes):
            kept["path"] = _lay_down(value["data"], folder, stem, str(value.get("format") or "bin"))
        return kept
    if isinstance(value, list | tuple):
        return [_laid_down(item, folder, f"{stem}-{place}") for place, item in enumerate(value)]
    return value


def _lay_down(sound: bytes, folder: Path, stem: str, format: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.{format}"
    path.write_bytes(sound)
    return str(path)
