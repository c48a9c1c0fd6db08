"""Time as an argument. `SystemClock` runs the product; `TurnedClock` moves only when someone turns it."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        """Wait on a condition whose lock is held, at most `seconds` of this clock. False when time ran out."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        return condition.wait(seconds)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class TurnedClock:
    """Stands still until turned. Whoever sleeps or waits with a time limit is woken when it is turned past it."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._turned = threading.Condition()
        self._waiting: set[threading.Condition] = set()

    def now(self) -> float:
        return self._now

    def turn(self, seconds: float) -> None:
        with self._turned:
            self._now += seconds
            self._turned.notify_all()
            waiting = list(self._waiting)
        for condition in waiting:
            with condition:
                condition.notify_all()

    def wait(self, condition: threading.Condition, seconds: float | None) -> bool:
        if seconds is None:
            return condition.wait()
        with self._turned:
            end = self._now + seconds
            if self._now >= end:
                return False
            self._waiting.add(condition)
        try:
            condition.wait()
            return self._now < end
        finally:
            with self._turned:
                self._waiting.discard(condition)

    def sleep(self, seconds: float) -> None:
        with self._turned:
            end = self._now + seconds
            self._turned.wait_for(lambda: self._now >= end)
