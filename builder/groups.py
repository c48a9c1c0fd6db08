"""Which environment each group of models lives in: `python3 -m builder.groups embedded` answers for the image.

Runs on a bare python3, before anything is installed, so it knows no models but the table of their environments.
"""

import sys
from pathlib import Path

from models.environments import ENVIRONMENTS

LOCKS = Path(__file__).parent / "locks"


class NotBuilt(Exception):
    """What was asked for has no lock or no engine yet, or does not exist; the message says what does."""


def split(groups: str) -> tuple[str, ...]:
    return tuple(group.strip() for group in groups.split(",") if group.strip())


def locked() -> tuple[str, ...]:
    """Groups whose environment has a lock."""
    return tuple(group for group, name in ENVIRONMENTS.items() if (LOCKS / f"{name}.txt").is_file())


def environment(groups: str) -> str:
    """The one environment that the comma-separated groups share."""
    names = split(groups)
    if unknown := [name for name in names if name not in ENVIRONMENTS]:
        raise NotBuilt(f"There is no group `{unknown[0]}`. Groups: {', '.join(ENVIRONMENTS)}.")
    found = {ENVIRONMENTS[name] for name in names}
    if len(found) != 1:
        raise NotBuilt(f"GROUP must name groups of one environment; `{groups}` names {len(found)}.")
    if missing := [name for name in names if name not in locked()]:
        raise NotBuilt(
            f"No engine of group `{missing[0]}` is built yet: its environment has no lock. "
            f"Groups that can be built: {', '.join(locked())}."
        )
    return found.pop()


def main(groups: str) -> int:
    try:
        print(environment(groups))
    except NotBuilt as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2] or [""]))
