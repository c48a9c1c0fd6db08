"""Reads files before anybody asks for them, so that the disk works while Python imports. Keeps nothing of them.

What was read lies in the system's cache, from which weights are then mapped.
"""

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

BLOCK_BYTES = 8 << 20


def read_ahead(files: Iterable[Path]) -> threading.Thread:
    """Begins, one file after the other. What cannot be read is left for whoever needs it to complain of."""
    thread = threading.Thread(target=_read, args=(tuple(files),), name="read-ahead", daemon=True)
    thread.start()
    return thread


def _read(files: Iterable[Path]) -> None:
    block = bytearray(BLOCK_BYTES)
    for file in files:
        with suppress(OSError), file.open("rb", buffering=0) as stream:
            while stream.readinto(block):
                pass
