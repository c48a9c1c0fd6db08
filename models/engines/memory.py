"""A device whose memory ran out, in our words: whoever waits may try again, and the room shrinks (`models/runner.py`).

Imported by engines; it imports torch only where one of them already has. Knows no engine.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from basics.errors import Failure


@contextmanager
def fitting(told: str) -> Iterator[None]:
    """What torch throws when nothing more fits becomes `out_of_memory`, saying `told`."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise Failure("out_of_memory", told) from error
