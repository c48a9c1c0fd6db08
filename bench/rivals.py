"""Two other ways to serve the same deck, to measure ours against: a lock, and batching without deadlines.

Both run under our own runner with another choice, so that nothing but the choice differs.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from basics.clock import Clock
from models.engine import Deck, Work
from models.engines.tone import Tone
from models.runner import Runner
from models.scheduler import Rules, State, Turn

EARLY_SECONDS, CHUNK_SECONDS = 0.16, 0.64
"""What batching without deadlines sends: eight frames, or two first and then eight, as some servers do."""


class Rival(Runner):
    """Our runner with somebody else's choices."""

    def board(self, state: State) -> Sequence[str]:
        raise NotImplementedError

    def choose(self, state: State) -> Turn | None:
        raise NotImplementedError

    def step(self) -> bool:
        self._come_and_go()
        for line in self.board(self._state()) if self.waits else ():
            self._admit(self._berths[line])
        turn = self.choose(self._state(self._offers()))
        if turn is None:
            return False
        self._give(turn.stage, self._run(turn))
        return True


class Lock(Rival):
    """First come, first served, one at a time: a server with a lock around its engine."""

    def board(self, state: State) -> Sequence[str]:
        waiting = [rider.line for rider in state.riders if not rider.aboard]
        return waiting[:1] if not any(rider.aboard for rider in state.riders) else ()

    def choose(self, state: State) -> Turn | None:
        work = _wanted(state, CHUNK_SECONDS)
        return next((Turn(stage, (works[0],)) for stage, works in work.items() if works), None)


class Batching(Rival):
    """Continuous batching as language models are served: prefill first, everybody who is aboard moves, in turn."""

    first_seconds = CHUNK_SECONDS

    def board(self, state: State) -> Sequence[str]:
        return [rider.line for rider in state.riders if not rider.aboard][: max(0, state.free)]

    def choose(self, state: State) -> Turn | None:
        served = {rider.line: rider.served for rider in state.riders}
        for stage, works in _wanted(state, self.first_seconds).items():
            if works:
                fair = sorted(works, key=lambda work: served[work.line])[: state.rows]
                return Turn(stage, tuple(fair))
        return None


class Early(Batching):
    """The same with a small first chunk."""

    first_seconds = EARLY_SECONDS


def of(kind: type[Rival]) -> Callable[[Callable[[], Deck], int, Clock], Runner]:
    return lambda open, rows, clock: kind(open, Tone.card, rows, clock, Rules(), lambda: None)


def _wanted(state: State, first: float) -> dict[str, list[Work]]:
    """What each line should do next, by stage, in chunks of one size but the first."""
    aboard = {rider.line for rider in state.riders if rider.aboard}
    started = {rider.line for rider in state.riders if rider.started}
    offers: dict[str, list[Work]] = defaultdict(list)
    for work in state.ready:
        if work.line in aboard:
            offers[work.line].append(work)
    wanted: dict[str, list[Work]] = {stage: [] for stage in state.stages}
    for works in offers.values():
        seconds = CHUNK_SECONDS if works[0].line in started else first
        latest = max(works, key=lambda work: state.stages.index(work.stage))
        whole = latest.stage != state.stages[-1] or latest.seconds >= seconds or len(works) == 1
        work = latest if whole else min(works, key=lambda work: state.stages.index(work.stage))
        wanted[work.stage].append(_cut(work, seconds))
    last = state.stages[-1]
    # Sound that is ready goes out before more is decoded; newcomers are read first.
    order = [state.stages[0], last, *state.stages[1:-1]]
    return {stage: wanted[stage] for stage in order}


def _cut(work: Work, seconds: float) -> Work:
    if work.seconds <= seconds:
        return work
    size = max(work.least, round(work.size * seconds / work.seconds))
    return replace(work, size=size, seconds=work.seconds * size / work.size)
