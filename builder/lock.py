"""Compiles builder/locks/*.in to *.txt: `make lock`. With `--upgrade`, what the pins pull in is renewed too.

What a package wants and nobody here runs stands in `*.overrides` with a marker that is never true.
A lock holds exact versions and hashes and never an index: a machine's own pip settings say where from.
"""

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


def names() -> list[str]:
    """Every lock, `dev` last: it takes its versions from `embedded`."""
    return sorted((path.stem for path in LOCKS.glob("*.in")), key=lambda name: (name == "dev", name))


def compile(name: str, *more: str) -> None:
    source, lock = (str((LOCKS / f"{name}{end}").relative_to(LOCKS.parent.parent)) for end in (".in", ".txt"))
    overrides = LOCKS / f"{name}.overrides"
    if overrides.is_file():
        more = ("--override", str(overrides.relative_to(LOCKS.parent.parent)), *more)
    command = (sys.executable, "-m", "uv", "pip", "compile", source, "--output-file", lock, *OPTIONS, *more)
    subprocess.run(command, check=True, cwd=LOCKS.parent.parent, stdout=subprocess.DEVNULL)


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
