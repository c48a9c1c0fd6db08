"""Plays a stream while it is made, with whatever player the machine has."""

import contextlib
import shutil
import subprocess
from typing import Self

from .errors import NotSupported

PLAYERS: tuple[tuple[str, ...], ...] = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-i", "-"),
    ("mpv", "--no-terminal", "--no-video", "-"),
    ("play", "-q", "-t", "mp3", "-"),
    ("mpg123", "-q", "-"),
)
"""That read mp3 from a pipe; the first that is there."""


class Player:
    def __init__(self, players: tuple[tuple[str, ...], ...] = PLAYERS) -> None:
        found = next((player for player in players if shutil.which(player[0])), None)
        if found is None:
            names = ", ".join(player[0] for player in players)
            raise NotSupported("There is no player on this machine.", hint=f"Install one of {names}, or use --out.")
        self._process = subprocess.Popen(found, stdin=subprocess.PIPE)

    def feed(self, piece: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody closed the player
            self._process.stdin.write(piece)
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
