"""Compiles builder/locks/*.in to *.txt: `make lock`. With `--upgrade`, what the pins pull in is renewed too.

What a package wants and nobody here runs stands in `*.overrides` with a marker that is never true.
A lock holds exact versions and hashes and never an index: a machine's own pip settings say where from. What pip
reads from its environment is told to uv too: the CPU build of torch is nowhere else.
"""

import os
import subprocess
import sys

from builder.groups import LOCKS

OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--quiet",
)

TOLD = {"UV_FIND_LINKS": "PIP_FIND_LINKS", "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL"}
"""uv's variables, and pip's that hold the same."""


def names() -> list[str]:
    """Every lock; `dev` and then what tests need come last, as they take versions from those before."""
    return sorted(
        (path.stem for path in LOCKS.glob("*.in")), key=lambda name: (name.endswith("-tests"), name == "dev", name)
    )


def compile(name: str, *more: str) -> None:
    source, lock = (str((LOCKS / f"{name}{end}").relative_to(LOCKS.parent.parent)) for end in (".in", ".txt"))
    overrides = LOCKS / f"{name}.overrides"
    if overrides.is_file():
        more = ("--override", str(overrides.relative_to(LOCKS.parent.parent)), *more)
    command = (sys.executable, "-m", "uv", "pip", "compile", source, "--output-file", lock, *OPTIONS, *more)
    told = {theirs: os.environ[ours] for theirs, ours in TOLD.items() if os.environ.get(ours)}
    environment = {**told, **os.environ}
    subprocess.run(command, check=True, cwd=LOCKS.parent.parent, env=environment, stdout=subprocess.DEVNULL)


def main(*more: str) -> int:
    for name in names():
        print(f"Compiling builder/locks/{name}.txt ...", flush=True)
        try:
            compile(name, *more)
        except subprocess.CalledProcessError as failed:
            return failed.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
