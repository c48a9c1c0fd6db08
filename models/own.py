"""People's own models: what `MODELS_FILE` says, as entries for the catalogue.

It adds fine-tuned weights of engines that are built, sets a model's default knobs, and enables, disables or names
the default. Every mistake is `misconfigured`, naming the place in the file. Loads and fetches nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from basics.errors import Failure
from basics.settings import Settings
from models.groups import Entry
from store.bucket import Bucket
from store.bucket_config import BucketConfig

ID = r"[a-z0-9][a-z0-9._-]{0,63}"
SOURCE = re.compile(
    r"hf:(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?"
    r"|s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,254})/(?P<prefix>[^\s]+)"
    r"|volume:(?P<path>[^\s\0][^\0]*)"
)
FILE_BYTES = 1_000_000
NAME = "MODELS_FILE"


def _source(value: str) -> str:
    if not SOURCE.fullmatch(value):
        raise ValueError("it is hf:org/repo@revision, s3://bucket/prefix or volume:path")
    return value


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class OwnModel(Strict):
    id: Annotated[str, Field(pattern=f"^{ID}$")]
    engine: str = ""
    """The model whose engine speaks it; left out where `id` is a model that is built in."""
    weights: Annotated[str, AfterValidator(_source)] = ""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Of the largest file."""
    licence: str = ""
    languages: tuple[str, ...] = ()
    params: dict[str, Any] = {}
    """Knobs used where a request leaves them open."""


class ModelsFile(Strict):
    default: str = ""
    enable: tuple[str, ...] = ()
    """Only these are served, where any are named."""
    disable: tuple[str, ...] = ()
    models: tuple[OwnModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    """What the file makes of the table."""

    entries: tuple[Entry, ...]
    default: str = ""
    disabled: frozenset[str] = frozenset()


def own(text: str, table: Sequence[Entry], groups: Sequence[str]) -> Own:
    """`groups` are this worker's: their models are the ones that it changes."""
    file = parsed(text)
    entries = list(table)
    for number, model in enumerate(file.models):
        _add(entries, model, f"models[{number}]", groups)
    here = [entry.id for entry in entries if entry.group in groups]
    for field in ("enable", "disable"):
        for name in getattr(file, field):
            _known(name, here, field)
    if file.default:
        _known(file.default, here, "default")
    disabled = set(file.disable) | ({id for id in here if id not in file.enable} if file.enable else set())
    if file.default in disabled:
        raise wrong("default", f"`{file.default}` is disabled.")
    return Own(tuple(entries), file.default, frozenset(disabled))


def read(settings: Settings) -> str:
    """The file's text, from a path, from `s3://` or under a key of the worker's bucket; empty where none is set."""
    if not settings.models_file:
        return ""
    path = Path(settings.models_file)
    config, _ = BucketConfig.of_worker(settings)
    named = re.fullmatch(r"s3://([^/]+)/(.+)", settings.models_file)
    try:
        if named is None and (path.is_file() or config is None):
            return path.read_text("utf-8")
        if config is None or (named is not None and named[1] != config.bucket):
            raise Failure("misconfigured", f"{NAME}: s3:// reaches the worker's own bucket only.")
        key = named[2].removeprefix(config.prefix) if named else settings.models_file
        return Bucket(config).get(key, FILE_BYTES)[0].decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Failure("misconfigured", f"{NAME}: it cannot be read.") from None
    except Failure as failure:
        if failure.code == "misconfigured":
            raise
        raise Failure("misconfigured", f"{NAME}: {failure.message}", retryable=failure.retryable) from failure


def parsed(text: str) -> ModelsFile:
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"line {mark.line + 1}: " if mark else ""
        raise Failure("misconfigured", f"{NAME}, {at}it is not YAML.") from None
    try:
        return ModelsFile.model_validate(given or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise wrong(".".join(map(str, first["loc"])) or "it", f"{first['msg']}.") from None


def sourced(base: Entry, id: str, source: str, sha256: str = "") -> Entry:
    """The base's engine with weights from elsewhere. The source names the revision, as far as it can."""
    match = SOURCE.fullmatch(source)
    if match is None:
        raise Failure("misconfigured", "`weights` is hf:org/repo@revision, s3://bucket/prefix or volume:path.")
    return replace(
        base,
        id=id,
        repository=match["repository"] or "",
        revision=match["revision"] or (sha256[:16].lower() if sha256 else "unpinned"),
        files=(),
        wanted=("*",),
        source=source,
        sha256=sha256.lower(),
    )


def _add(entries: list[Entry], model: OwnModel, at: str, groups: Sequence[str]) -> None:
    known = next((place for place, entry in enumerate(entries) if entry.id == model.id and entry.group in groups), None)
    if known is not None and not model.weights and model.engine in ("", model.id):
        if model.sha256:
            raise wrong(f"{at}.sha256", "it belongs to `weights`.")
        entries[known] = _described(entries[known], model)
        return
    if any(entry.id == model.id for entry in entries):
        raise wrong(f"{at}.id", f"`{model.id}` is a model already; weights of your own need a name of their own.")
    if not model.weights:
        raise wrong(f"{at}.weights", f"`{model.id}` is no model that is built in, so it needs weights.")
    base = next((entry for entry in entries if entry.id == model.engine and entry.group in groups), None)
    if base is None or base.engine is None:
        built = ", ".join(entry.id for entry in entries if entry.group in groups and entry.engine is not None)
        raise wrong(f"{at}.engine", f"`{model.engine or 'nothing'}` is no engine of this worker's; there are {built}.")
    entries.append(_described(sourced(base, model.id, model.weights, model.sha256 or ""), model))


def _described(entry: Entry, model: OwnModel) -> Entry:
    return replace(
        entry,
        licence=model.licence or entry.licence,
        languages=model.languages or entry.languages,
        params={**entry.params, **model.params},
    )


def _known(name: str, here: Sequence[str], field: str) -> None:
    if name not in here:
        raise wrong(field, f"`{name}` is no model of this worker's; there are {', '.join(here)}.")


def wrong(field: str, message: str) -> Failure:
    return Failure("misconfigured", f"{NAME}, `{field}`: {message}")
