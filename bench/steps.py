"""What single functions take of the processor, each on whichever thread runs it, without those clocked inside it.

Functions are wrapped while `clocked` is open and put back at its end; what is not named is on the account of whoever
called it, or on nobody's.
"""

import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Place = tuple[Any, str]
"""A class or a module, and the name of a function in it."""


class Account:
    """Seconds by step. Each thread has books of its own."""

    def __init__(self) -> None:
        self._books: list[defaultdict[str, float]] = []
        self._own = threading.local()

    def seconds(self) -> dict[str, float]:
        spent: defaultdict[str, float] = defaultdict(float)
        for book in self._books:
            for step, seconds in list(book.items()):
                spent[step] += seconds
        return spent

    def clock(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def clocked(*given: Any, **named: Any) -> Any:
            book, inside = self._mine()
            inside.append(0.0)
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                took = time.thread_time() - began
                book[step] += took - inside.pop()
                if inside:
                    inside[-1] += took

        return clocked

    def _mine(self) -> tuple[defaultdict[str, float], list[float]]:
        if not hasattr(self._own, "book"):
            self._own.book, self._own.inside = defaultdict(float), []
            self._books.append(self._own.book)
        return self._own.book, self._own.inside


@contextmanager
def clocked(steps: Mapping[str, tuple[Place, ...]]) -> Iterator[Account]:
    account, before = Account(), list[tuple[Any, str, Any]]()
    try:
        for step, places in steps.items():
            for owner, name in places:
                before.append((owner, name, vars(owner)[name]))
                setattr(owner, name, account.clock(step, vars(owner)[name]))
        yield account
    finally:
        for owner, name, function in reversed(before):
            setattr(owner, name, function)
