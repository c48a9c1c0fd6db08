"""When each of several things is due again. Plain numbers: the clock is whoever's who asks."""

from collections.abc import Iterable


class Rounds:
    def __init__(self, now: float, first: float, **every: float) -> None:
        """Each of `every` is due for the first time after `first` seconds, or a round if that is shorter."""
        self._every = every
        self._due = {name: now + min(seconds, first) for name, seconds in every.items()}

    def due(self, name: str, now: float) -> bool:
        """Whether it is; if so, the next time is one round later."""
        if now < self._due[name]:
            return False
        self._due[name] = now + self._every[name]
        return True

    def hurry(self, name: str, now: float) -> None:
        """There is more of it: at once."""
        self._due[name] = now

    def next(self, names: Iterable[str]) -> float:
        """When the first of these is due."""
        return min(self._due[name] for name in names)
