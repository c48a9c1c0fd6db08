"""Whether a path is on this machine's own disk. SQLite's locks and its shared memory need that."""

import os
from pathlib import Path

LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "overlay", "aufs", "tmpfs", "f2fs", "bcachefs", "ramfs", "apfs"}
MOUNTS = Path("/proc/self/mountinfo")


def is_network(path: Path, mounts: Path = MOUNTS) -> bool:
    """True of what is mounted over a network, or by a program in user space, as RunPod's volumes are."""
    kind = _kind(path.absolute().resolve(), mounts)
    return kind not in LOCAL and kind != ""


def _kind(path: Path, mounts: Path) -> str:
    """The file system's kind; empty where the system does not say."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        at = os.fsdecode(fields.split()[4].encode().decode("unicode_escape").encode("latin-1"))
        if path.is_relative_to(at) and len(at) >= len(best):
            best, kind = at, rest.split()[0]
    return kind
