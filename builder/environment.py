"""Makes a virtual environment from a lock: `python3 -m builder.environment dev`.

Runs on a bare python3 before anything is installed, so it imports the standard library only. A stamp with
the lock's hash makes the second time quick; another hash makes the environment anew, so that nothing that
left the lock lingers. It names no index: pip asks whichever this machine is set up for.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from builder.groups import LOCKS

ROOT = Path(__file__).parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
"""kokoro-onnx 0.6.1 refuses 3.14."""

LAYERS = {
    "embedded": ("embedded",),
    "dev": ("embedded", "dev"),
    "modern": ("modern", "modern-cpu"),
    "modern-cuda": ("modern", "modern-cuda"),
}
"""Locks installed one on the other. An environment whose torch comes in two builds has the CPU's under its own name."""

SHARED = ("embedded", "dev")
"""What `.venv` holds; `make run` needs only the first."""

INSTALL = ("install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes")
"""A lock is complete and made of wheels, so pip need not resolve and may not build."""


class Unfit(Exception):
    """This machine cannot make the environment; the message says what to do."""


def folder(name: str) -> Path:
    return ROOT / ".venv" if name in SHARED else ROOT / ".venvs" / name


def make(name: str, at: Path | None = None, compiled: bool = False) -> Path:
    """The environment's folder, made or brought up to date; quick when nothing changed."""
    place = at or folder(name)
    layers = LAYERS.get(name, (name,))
    if stale(place):
        create(place)
    for layer in layers:
        install(place, layer, compiled)
    return place


def digest(lock: str) -> str:
    interpreter = f"{sys.version} {sys.base_prefix} {unwanted(lock)}"
    return hashlib.sha256((LOCKS / f"{lock}.txt").read_bytes() + interpreter.encode()).hexdigest()


def unwanted(lock: str) -> list[str]:
    """Files of the lock's packages that are taken out once it is installed; its `*.without` says why."""
    listed = LOCKS / f"{lock}.without"
    lines = listed.read_text().splitlines() if listed.is_file() else []
    return [line for line in lines if line and not line.startswith("#")]


def stamp(place: Path, lock: str) -> Path:
    return place / f".{lock}.stamp"


def current(place: Path, lock: str) -> bool:
    mark = stamp(place, lock)
    return mark.is_file() and mark.read_text() == digest(lock)


def stale(place: Path) -> bool:
    """Whether the environment must be made anew: absent, half made, or from another lock or interpreter."""
    marks = [mark.name[1 : -len(".stamp")] for mark in place.glob(".*.stamp")]
    return not marks or not all((LOCKS / f"{lock}.txt").is_file() and current(place, lock) for lock in marks)


def create(place: Path) -> None:
    say(f"Making {shown(place)} with Python {sys.version.split()[0]} ...")
    shutil.rmtree(place, ignore_errors=True)
    venv = (sys.executable, "-m", "venv", str(place))
    if subprocess.run(venv, capture_output=True).returncode == 0:
        return
    install_venv_module()
    subprocess.run(venv, check=True)


def install_venv_module() -> None:
    """Debian ships python3 without what `venv` needs."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unfit("This python3 cannot make virtual environments. On Debian: apt-get install python3-venv.")
    say("This python3 lacks venv: installing Debian's python3-venv ...")
    for step in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", "python3-venv")):
        subprocess.run(("apt-get", *step), check=True, stdout=subprocess.DEVNULL)


def install(place: Path, lock: str, compiled: bool) -> None:
    if current(place, lock):
        return
    say(f"Installing {lock} ...")
    began = time.monotonic()
    bytecode = "--compile" if compiled else "--no-compile"
    command = (place / "bin" / "python", "-m", "pip", *INSTALL, bytecode, "-r", LOCKS / f"{lock}.txt")
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    if code := subprocess.run(command, env={**os.environ, **quiet}).returncode:
        raise Unfit(f"pip could not install builder/locks/{lock}.txt (exit code {code}); its last lines say why.")
    take_out(place, lock)
    stamp(place, lock).write_text(digest(lock))
    say(f"{lock} is ready after {time.monotonic() - began:.0f} s.")


def take_out(place: Path, lock: str) -> None:
    for name in unwanted(lock):
        found = list(place.glob(f"lib/python3*/site-packages/{name}"))
        if not found:
            raise Unfit(f"builder/locks/{lock}.without names `{name}`, which the lock no longer brings.")
        for file in found:
            file.unlink()


def fit() -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        wanted = " to ".join(".".join(map(str, version)) for version in (OLDEST, NEWEST))
        raise Unfit(f"Python {wanted} is needed; this is {sys.version.split()[0]}. Another one: make PYTHON=python3.12")


def shown(place: Path) -> str:
    return str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else str(place)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(name: str, at: str = "") -> int:
    """With a second argument: into that folder, with bytecode, as the image wants it."""
    try:
        fit()
        make(name, Path(at) if at else None, compiled=bool(at))
    except Unfit as why:
        say(str(why))
        return 1
    except subprocess.CalledProcessError as failed:
        say(f"`{failed.cmd[0]}` failed with exit code {failed.returncode}.")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
