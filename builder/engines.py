"""Runs the engine tests of a group in its own environment: `python -m builder.engines embedded`, or `all`.

A test marked `engine` runs in `embedded`, or in the environment that its mark `environment` names, and in no other:
tests/conftest.py sees to that by MODEL_GROUP. Knows which groups have an engine from the models' own table.
"""

import argparse
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from builder import environment
from builder.groups import LOCKS, NotBuilt, locked, split
from builder.groups import environment as environment_of
from models.environments import ENVIRONMENTS
from models.groups import table

LONGEST_SECONDS = 1800
"""Of one test: real models on a small machine are slow."""
NO_TESTS = 5
"""pytest's exit code when nothing was collected."""


def built() -> tuple[str, ...]:
    """Groups of which at least one model has an engine, and whose environment has a lock."""
    spoken = {entry.group for entry in table() if entry.engine is not None}
    return tuple(group for group in ENVIRONMENTS if group in spoken and group in locked())


def checked(groups: str) -> tuple[str, ...]:
    """The groups asked for; raises NotBuilt for one without an engine."""
    environment_of(groups)
    names = split(groups)
    if missing := [name for name in names if name not in built()]:
        raise NotBuilt(f"No engine of group `{missing[0]}` is built yet. Groups with one: {', '.join(built())}.")
    return names


def chosen(groups: str) -> tuple[str, ...]:
    if groups != "all":
        return tuple(name for group in split(groups) or ("",) for name in checked(group))
    without = [group for group in ENVIRONMENTS if group not in built()]
    if without:
        print(f"Groups without a built engine: {', '.join(without)}.", flush=True)
    return built()


def one_an_environment(groups: Iterable[str]) -> tuple[str, ...]:
    """The first group of each environment: its run has the tests of all groups that share it."""
    first: dict[str, str] = {}
    for group in groups:
        first.setdefault(ENVIRONMENTS[group], group)
    return tuple(first.values())


def prepare(group: str) -> Path:
    """The interpreter of the group's environment, tools for testing included."""
    name = ENVIRONMENTS[group]
    place = environment.make("dev" if name in environment.SHARED else name)
    tools = f"{name}-tests"
    if (LOCKS / f"{tools}.txt").is_file():
        environment.install(place, tools, compiled=False)
    return place / "bin" / "python"


def test(group: str) -> bool:
    python = prepare(group)
    print(f"Engine tests of group {group}, in environment {ENVIRONMENTS[group]}:", flush=True)
    command = (python, "-m", "pytest", "-m", "engine", f"--timeout={LONGEST_SECONDS}")
    code = subprocess.run(command, cwd=environment.ROOT, env={**os.environ, "MODEL_GROUP": group}).returncode
    if code == NO_TESTS:
        print(f"Group {group} has no engine tests.", flush=True)
    return code == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="builder.engines")
    parser.add_argument("groups", help="groups by comma, or `all`")
    parser.add_argument("--built", action="store_true", help="only say whether each has a built engine")
    asked = parser.parse_args(arguments)
    try:
        groups = checked(asked.groups) if asked.built else chosen(asked.groups)
        failed = [] if asked.built else [group for group in one_an_environment(groups) if not test(group)]
    except (NotBuilt, environment.Unfit) as why:
        print(why, flush=True)
        return 1
    if failed:
        print(f"Engine tests failed: {', '.join(failed)}.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
