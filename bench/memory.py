"""What this process holds: what the system lent it, and what of that is in use. A leak is a growth of what is in use.

The C library keeps what was freed for later, in pieces between what is in use, so the process as the system sees it
grows and shrinks by as much as was ever needed at once. glibc tells its heap's books (2.33 or later); others do not.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
UNTOLD = float("nan")


class _Books(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB, once the collector has run."""

    resident: float
    in_use: float
    """Of the C library's heap: samples, codecs, networks. NaN where it does not tell."""
    kept: float
    """Free within that heap, and not given back."""
    objects: float
    """Python's own, in thousands: those have a heap of their own."""

    @classmethod
    def now(cls) -> Self:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(pages * os.sysconf("SC_PAGESIZE") / 1e6, *_heap(), sys.getallocatedblocks() / 1e3)

    @staticmethod
    def given_back() -> "Memory":
        """As it is once the C library was asked to give back what it keeps."""
        gc.collect()
        if hasattr(library := ctypes.CDLL(None), "malloc_trim"):
            library.malloc_trim(0)
        return Memory.now()


def _heap() -> tuple[float, float]:
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return UNTOLD, UNTOLD
    library.mallinfo2.restype = _Books
    books = library.mallinfo2()
    return (books.uordblks + books.hblkhd) / 1e6, books.fordblks / 1e6


def growth(figures: Sequence[float]) -> float:
    """From the second third to the last: the first fills caches."""
    third = len(figures) // 3
    return median(figures[-third:]) - median(figures[third : 2 * third]) if third else 0.0
