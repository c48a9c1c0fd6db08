"""`python -m voices`: people's voices from the command line, in a folder, a bucket or a deployed endpoint.

A door: it asks operations and shows what they answer. Exit codes: 0 done, 1 refused or failed, 2 asked wrongly.
"""

import json
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from basics.audio import Samples
from basics.errors import Failure, printable
from basics.settings import Settings
from listening import recogniser
from listening.silero import installed as activity
from operations import pth as chatterbox
from operations.asking import Endpoint, Here
from voices import cloning, files, parcel, tables
from voices.client import Client, created, every, health, sound, written
from voices.flac import packed
from voices.picking import SECONDS, Study, pick, together, verdicts

log = logging.getLogger("worker.voices")

WRONG = {"invalid_input", "misconfigured"}
"""Codes of what was asked wrongly: exit code 2."""

app = typer.Typer(
    help="People's voices: make them from recordings, look at them, change them, carry them elsewhere.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Place = Annotated[str, typer.Option("--voices", help="A folder or s3://bucket/prefix; VOICES unless set.")]
Remote = Annotated[str, typer.Option("--endpoint", help="Id of a deployed endpoint; its key is RUNPOD_API_KEY.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]
Id = Annotated[str, typer.Argument(help="The voice's id.")]
Name = Annotated[str | None, typer.Option(help="What people call it.")]
Language = Annotated[str | None, typer.Option(help="A code such as en or pt-br.")]
Tag = Annotated[list[str] | None, typer.Option(help="Again for each.")]
Description = Annotated[str | None, typer.Option(help="In a sentence.")]
Transcript = Annotated[str | None, typer.Option(help="What is said in the recording, word for word.")]
Consent = Annotated[str | None, typer.Option("--consent-by", help="Who agreed: whose voice it is.")]
Replace = Annotated[bool, typer.Option("--replace", help="Overwrite a voice with this id.")]


class Desk:
    """Where one command asks and tells."""

    def __init__(self, client: Client, settings: Settings, as_json: bool) -> None:
        self.client, self.settings, self.as_json = client, settings, as_json
        self.out, self.err = Console(soft_wrap=False), Console(stderr=True, quiet=as_json)

    def tell(self, found: dict[str, Any], table: Any = None, line: str = "") -> None:
        if self.as_json:
            print_json(found)
        if not self.as_json and table is not None:
            tables.show(self.out, table)
        if not self.as_json and line:
            self.out.print(line, markup=False, highlight=False)

    def note(self, line: str) -> None:
        self.err.print(line, markup=False, highlight=False)

    @contextmanager
    def progress(self, total: int | None = None) -> Iterator["Steps"]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.err, transient=True) as bar:
            yield Steps(bar, total)


class Steps:
    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar, self._task = bar, bar.add_task("", total=total)

    def on(self, what: str) -> None:
        self._bar.update(self._task, description=escape(what))

    def done(self) -> None:
        self._bar.advance(self._task)


@contextmanager
def desk(voices: str, endpoint: str, as_json: bool) -> Iterator[Desk]:
    """The one place where a command's failures end: told in a line, or as JSON, never as a traceback."""
    try:
        settings = Settings.read()
        if voices and endpoint:
            raise Failure("invalid_input", "--voices and --endpoint name two places; give one.")
        if voices:
            settings = settings.model_copy(update={"voices": tuple(part.strip() for part in voices.split(","))})
        with Endpoint(settings, endpoint) if endpoint else Here(settings) as client:
            yield Desk(client, settings, as_json)
    except Failure as failure:
        refuse(failure, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # The door's one catch-all: no traceback reaches a terminal.
        log.debug("command_broke", exc_info=True)
        refuse(Failure("internal", f"Something broke ({type(error).__name__})."), as_json)


def refuse(failure: Failure, as_json: bool) -> None:
    if as_json:
        print_json({"error": failure.as_dict()})
    else:
        told = Console(stderr=True)
        told.print(printable(f"{failure.code}: {failure.message}"), markup=False, highlight=False)
        if failure.hint:
            told.print(printable(failure.hint), markup=False, highlight=False)
    raise typer.Exit(2 if failure.code in WRONG else 1) from None


def print_json(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=True) + "\n")


@app.command()
def clone(
    input_dir: Annotated[Path, typer.Option("--input-dir", help="A folder with 1 to 5 minutes of recordings.")],
    voice_id: Annotated[str, typer.Option("--voice-id", help="The new voice's id.")],
    name: Name = None,
    language: Language = None,
    tag: Tag = None,
    description: Description = None,
    consent_by: Consent = None,
    replace: Replace = False,
    seconds: Annotated[float, typer.Option(min=5, max=120, help="How long the voice's recording shall be.")] = SECONDS,
    model: Annotated[list[str] | None, typer.Option(help="Try it with this model; else with all that clone.")] = None,
    pth: Annotated[Path | None, typer.Option(help="Also write Chatterbox's own file here.")] = None,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Make a voice of a folder of recordings: the cleanest stretches of them."""
    with desk(voices, endpoint, as_json) as at:
        weights = chatterbox.check(at.settings) if pth is not None else None
        folder = cloning.recordings(input_dir)
        heard = listened(at, [(str(path.relative_to(input_dir)), path) for path in folder])
        taken = pick(heard, seconds)
        used = verdicts(heard, taken)
        report: dict[str, Any] = {"recordings": [asdict(verdict) for verdict in used]}
        if not as_json:
            tables.show(at.out, tables.verdicts(heard, used))
        if not taken:
            raise Failure("reference_too_short", "No part of any recording is good enough; each one's reason is told.")
        if (minutes := sum(study.seconds for study in heard) / 60) < 1:
            at.note(f"{minutes * 60:.0f} s of recordings: 1 to 5 minutes give more to choose from.")
        about = given(name=name, language=language, tags=tag, description=description)
        about |= given(consent=consent_by and {"by": consent_by})
        samples, rate = together(taken)
        with at.progress() as steps:
            steps.on("Keeping the voice")
            reference = files.inline(packed(samples, rate))
            made = at.client.ask("voices.create", id=voice_id, reference=reference, replace=replace, **about)
            voice = written_down(at, made.fields["voice"], samples, rate, steps)
            tries = list(cloning.tried(at.client, voice_id, model or (), steps.on))
        if pth is not None and weights is not None:
            chatterbox.write(samples, rate, pth, weights)
        report |= {"voice": voice, "models": tries}
        at.tell(report, tables.voice(voice))
        tell_tries(at, tries)


def listened(at: Desk, paths: Sequence[tuple[str, Path]]) -> list[Study]:
    found = []
    with at.progress(len(paths)) as steps:
        steps.on(f"Listening to {paths[0][0]}")
        for number, study in enumerate(cloning.studies(paths, activity(), threading.Event()), 1):
            found.append(study)
            steps.done()
            if number < len(paths):
                steps.on(f"Listening to {paths[number][0]}")
    return found


def written_down(at: Desk, voice: dict[str, Any], samples: Samples, rate: int, steps: Steps) -> dict[str, Any]:
    """Where the voice is kept nobody may be able to, and somebody here."""
    voice = written(at.client, voice, steps.on)
    if voice["transcript"]:
        return voice
    try:
        hears = recogniser.installed(at.settings)
    except Failure as failure:
        at.note(f"Without a transcript: {failure.message}")
        return voice
    steps.on("Writing down what is said")
    text = hears.hear(samples, rate, voice["language"]).text
    if not text:
        return voice
    found: dict[str, Any] = at.client.ask("voices.update", id=voice["id"], transcript=text).fields["voice"]
    return found


def tell_tries(at: Desk, tries: Sequence[dict[str, Any]]) -> None:
    if at.as_json:
        return
    if tries:
        tables.show(at.out, tables.engines(tries))
    else:
        at.note("No model here clones, so the voice was tried with none.")


@app.command()
def add(
    id: Id,
    recording: Annotated[list[str], typer.Argument(help="Up to five files or addresses (https, s3, volume:).")],
    name: Name = None,
    language: Language = None,
    transcript: Transcript = None,
    tag: Tag = None,
    description: Description = None,
    consent_by: Consent = None,
    replace: Replace = False,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Keep a voice as it is recorded: whole files, none left out."""
    with desk(voices, endpoint, as_json) as at:
        references = [files.reference(source, at.settings.reference_mb * 1e6) for source in recording]
        about = given(name=name, language=language, transcript=transcript, tags=tag, description=description)
        about |= given(consent=consent_by and {"by": consent_by})
        with at.progress() as steps:
            steps.on("Keeping the voice")
            made = at.client.ask("voices.create", id=id, reference=references, replace=replace, **about)
            voice = written(at.client, made.fields["voice"], steps.on)
        at.tell({"voice": voice}, tables.voice(voice))


@app.command("list")
def list_voices(
    search: Annotated[str | None, typer.Option(help="In ids, names, descriptions, tags and transcripts.")] = None,
    tag: Tag = None,
    language: Language = None,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """The voices there are."""
    with desk(voices, endpoint, as_json) as at:
        rows = list(every(at.client, **given(search=search, tags=tag, language=language)))
        at.tell({"voices": rows, "total": len(rows)}, tables.voices(rows) if rows else None, f"{len(rows)} voices")


@app.command()
def show(id: Id, voices: Place = "", endpoint: Remote = "", as_json: Json = False) -> None:
    """All that is known of a voice."""
    with desk(voices, endpoint, as_json) as at:
        found = at.client.ask("voices.get", id=id).fields
        at.tell(found, tables.voice(found["voice"]))


@app.command()
def edit(
    id: Id,
    name: Name = None,
    language: Language = None,
    transcript: Transcript = None,
    tag: Tag = None,
    description: Description = None,
    consent_by: Consent = None,
    clear: Annotated[list[str] | None, typer.Option(help="A field to empty: name, tags, transcript ...")] = None,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Change what is known of a voice."""
    with desk(voices, endpoint, as_json) as at:
        change = given(name=name, language=language, transcript=transcript, tags=tag, description=description)
        change |= given(consent=consent_by and {"by": consent_by})
        change |= dict.fromkeys(clear or ())
        found = at.client.ask("voices.update", id=id, **change).fields
        at.tell(found, tables.voice(found["voice"]))


@app.command()
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The voices' ids.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")] = False,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Delete voices, and all that was derived from them."""
    with desk(voices, endpoint, as_json) as at:
        if not yes and (as_json or not sys.stdin.isatty()):
            raise Failure("invalid_input", "Deleting asks first; say --yes where nobody can answer.")
        if not yes:
            typer.confirm(f"Delete {', '.join(ids)}?", abort=True)
        for id in ids:
            at.client.ask("voices.delete", id=id)
        at.tell({"deleted": ids}, line=f"Deleted {', '.join(ids)}")


@app.command()
def export(
    id: Id,
    to: Annotated[Path | None, typer.Option(help="The zip; <id>.zip unless set.")] = None,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Write a voice into a zip: its recording and what is known of it."""
    with desk(voices, endpoint, as_json) as at, at.progress() as steps:
        steps.on(f"Fetching {id}")
        voice = at.client.ask("voices.get", id=id).fields["voice"]
        into = to or Path(f"{id}.zip")
        data = parcel.pack(voice, sound(at.client, id))
        files.write(data, into)
        at.tell({"path": str(into), "bytes": len(data)}, line=f"{into}: {len(data) / 1e6:.1f} MB")


@app.command("import")
def import_voice(
    file: Annotated[Path, typer.Argument(help="A zip that `export` wrote.")],
    id: Annotated[str | None, typer.Option("--as", help="Another id.")] = None,
    replace: Replace = False,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Keep a voice from a zip."""
    with desk(voices, endpoint, as_json) as at:
        found = parcel.unpack(files.read(file, parcel.MOST_BYTES))
        about, words = parcel.asked(found.about | {"id": id or found.id})
        with at.progress() as steps:
            steps.on("Keeping the voice")
            about |= {"reference": files.inline(found.audio), "replace": replace}
            voice = created(at.client, about, words, steps.on)
        at.tell({"voice": voice}, tables.voice(voice))


@app.command()
def check(
    what: Annotated[
        list[str] | None, typer.Argument(help="Recordings or folders of them; else the kept voices.")
    ] = None,
    voices: Place = "",
    endpoint: Remote = "",
    as_json: Json = False,
) -> None:
    """Say what is wrong with recordings, or with the voices that are kept. Exit code 1 if anything is unusable."""
    with desk(voices, endpoint, as_json) as at:
        bad = check_files(at, [Path(name) for name in what]) if what else check_kept(at)
        if bad:
            raise typer.Exit(1)


def check_files(at: Desk, given: Sequence[Path]) -> bool:
    if missing := next((path for path in given if not path.exists()), None):
        raise Failure("invalid_input", f"There is no {missing}.", field="what")
    paths = [path for one in given for path in (cloning.recordings(one) if one.is_dir() else (one,))]
    found = listened(at, [(str(path), path) for path in paths])
    rows = [
        {
            "recording": study.name,
            "seconds": round(study.seconds, 2),
            "usable": bool(study.stretches),
            "quality": asdict(study.quality) if study.quality else None,
            "complaints": tables.complaints(study),
        }
        for study in found
    ]
    at.tell({"recordings": rows}, tables.checked(found))
    return not all(study.stretches for study in found)


def check_kept(at: Desk) -> bool:
    """A voice is heard in full: what cannot be read any more, or not spoken with, is found here and not in a job."""
    rows = []
    listed = list(every(at.client))
    with at.progress(len(listed)) as steps:
        for voice in listed:
            steps.on(voice["id"])
            rows.append(health(at.client, voice))
            steps.done()
    at.tell({"voices": rows}, tables.kept(rows) if rows else None, f"{len(rows)} voices")
    return any(not row["usable"] for row in rows)


def given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], "")}


if __name__ == "__main__":
    app()
