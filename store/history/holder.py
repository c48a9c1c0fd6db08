"""Who holds an accepted job: a process, named so that its own machine can tell whether it still lives."""

import os
import socket
from pathlib import Path


def myself() -> str:
    return f"{socket.gethostname()}/{os.getpid()}-{_born(os.getpid())}"


def is_gone(holder: str) -> bool:
    """True only of a process of this machine that has ended; of others nobody here can say."""
    machine, _, process = holder.rpartition("/")
    if machine != socket.gethostname():
        return False
    number, _, born = process.partition("-")
    return not number.isdigit() or _born(int(number)) != born


def _born(process: int) -> str:
    """When it was started, in the kernel's ticks: a number that comes round again has another. Empty if it is not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]
