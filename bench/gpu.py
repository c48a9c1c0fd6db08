"""What this machine's card makes of every model that runs on it: `python -m bench.gpu`, one command, two files.

    python -m bench.gpu                                   every model with an engine, on the card
    python -m bench.gpu --models f5-tts --rows 1,8,32 --out out/h100
    python -m bench.gpu --device cpu --tiny               a rehearsal, whose figures say nothing

Speaks with the real weights where they are, else with random ones at full size, checks the sound, and writes
`gpu.json` and a page with charts, `gpu.html`. Start it with the interpreter of the models' environment.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from basics.errors import Failure
from basics.settings import Settings
from bench.gpu_measures import Asked, Figures, cold, measured
from bench.gpu_page import page
from models.environments import ENVIRONMENTS
from models.groups import Entry, table
from models.weights import find

MAKERS = {
    "f5-tts": "tests.engines.tiny_f5:make",
    "chatterbox": "tests.engines.tiny_chatterbox:english",
    "chatterbox-multilingual": "tests.engines.tiny_chatterbox:multilingual",
    "chatterbox-turbo": "tests.engines.tiny_chatterbox:turbo",
    "xtts-v2": "tests.engines.tiny_xtts:make",
}
"""Scripts that write random weights in a model's layout: `make(folder, full=...)`."""
SHRUNK = dict.fromkeys(
    (name for name in MAKERS if name.startswith("chatterbox")), "tests.engines.tiny_chatterbox:small"
)
"""Models whose sizes are in upstream's code: tiny weights of theirs are loaded within this context."""
ENVIRONMENT = "modern"
CAPS_GB = (24.0, 16.0)


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    if asked.cold:
        with _sized(asked.cold[0], asked.tiny):
            print(json.dumps(cold(_entry(asked.cold[0]), Path(asked.cold[1]), asked.device, asked.dtype)))
        return 0
    if asked.device.startswith("cuda") and not _has_card():
        print("torch finds no CUDA here; `--device cpu --tiny` rehearses.", file=sys.stderr)
        return 2
    rows = tuple(int(number) for number in asked.rows.split(","))
    wanted = asked.models.split(",") if asked.models else []
    found: list[dict[str, Any]] = []
    for entry in table():
        if entry.environment == ENVIRONMENT and entry.engine and (not wanted or entry.id in wanted):
            print(f"{entry.id} ...", file=sys.stderr, flush=True)
            found.append(_told(entry, Asked(asked.device, asked.dtype, rows, asked.rounds, CAPS_GB), asked.tiny))
    report = {"machine": machine(asked.device), "tiny": asked.tiny, "models": found}
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    (asked.out / "gpu.html").write_text(page(report))
    print(f"Written: {asked.out / 'gpu.json'} and {asked.out / 'gpu.html'}")
    return 0 if found and all("failed" not in each for each in found) else 1


def _has_card() -> bool:
    import torch  # type: ignore[import-not-found,unused-ignore]

    return bool(torch.cuda.is_available())


def machine(device: str) -> dict[str, Any]:
    import torch

    told = {"python": platform.python_version(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    if not device.startswith("cuda"):
        return {"device": platform.processor() or platform.machine(), **told}
    card = torch.cuda.get_device_properties(device)
    return {"device": card.name, "memory_gb": round(card.total_memory / 1e9, 1), "cuda": torch.version.cuda, **told}


def _told(entry: Entry, asked: Asked, tiny: bool) -> dict[str, Any]:
    """One model's figures, or why there are none: a model that fails must not cost the others theirs."""
    told: dict[str, Any] = {"model": entry.id}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder, told["weights"] = _weights(entry, Path(scratch) / entry.id, tiny)
            told["cold"] = _in_a_process_of_its_own(entry, folder, asked, tiny)
            with _sized(entry.id, tiny):
                figures: Figures = measured(entry, folder, asked)
            return told | asdict(figures)
        except Failure as error:
            return told | {"failed": f"{error.code}: {error.message}"}


def _weights(entry: Entry, into: Path, tiny: bool) -> tuple[Path, str]:
    if not tiny:
        try:
            return find(entry, Settings.read()), "real"
        except Failure as error:
            if error.code != "weights_missing" or entry.id not in MAKERS:
                raise
    if entry.id not in MAKERS:
        raise Failure("weights_missing", f"Nobody wrote down how to make random weights of {entry.id}.")
    return _named(MAKERS[entry.id])(into, full=not tiny), "tiny" if tiny else "random"


def _named(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _sized(model: str, tiny: bool) -> AbstractContextManager[None]:
    return _named(SHRUNK[model])() if tiny and model in SHRUNK else nullcontext()


def _in_a_process_of_its_own(entry: Entry, folder: Path, asked: Asked, tiny: bool) -> dict[str, float]:
    command = (sys.executable, "-m", "bench.gpu", "--cold", entry.id, str(folder), "--device", asked.device)
    more = ("--dtype", asked.dtype, *(["--tiny"] if tiny else []))
    done = subprocess.run((*command, *more), capture_output=True, text=True)
    if done.returncode:
        raise Failure("internal", f"{entry.id} does not start in a process of its own: {done.stderr[-300:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _entry(id: str) -> Entry:
    return next(entry for entry in table() if entry.id == id and entry.environment == ENVIRONMENT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.gpu")
    groups = ", ".join(group for group, name in ENVIRONMENTS.items() if name == ENVIRONMENT)
    parser.add_argument("--models", default="", help=f"ids by comma; without it all that are built of {groups}")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--dtype", default="", help="as DTYPE; the model's own where not given")
    parser.add_argument("--rows", default="1,4,8,16,32", help="listeners at once, by comma")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="tiny random weights: does it run at all")
    parser.add_argument("--out", type=Path, default=Path("out/gpu"))
    parser.add_argument("--cold", nargs=2, metavar=("MODEL", "FOLDER"), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
