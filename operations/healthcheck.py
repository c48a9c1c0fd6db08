"""The image's HEALTHCHECK: `python -m operations.healthcheck FILE` ends with 0 while the worker's loop touches FILE.

It asks no port, so it works in queue mode too, and imports nothing heavy: it runs every half minute.
"""

import sys
from pathlib import Path

from basics.heartbeat import alive


def main(arguments: list[str]) -> int:
    """0 healthy, 1 unhealthy; docker keeps other codes for itself."""
    return 0 if len(arguments) == 1 and alive(Path(arguments[0])) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
