"""Who comes aboard: a pure choice over the same plain data as `scheduler.py`'s.

Places go to the started first, to newcomers while every started stream keeps its sound and the deck is not poor, to
files as they are owed. Touches no array, no thread and no clock.
"""

import math
from collections import Counter
from dataclasses import replace

from models.scheduler import Rider, Rules, State, first_seconds, overdue, rank, spare_seconds

MANY = 8
"""More streams at once than this are not counted."""
LATE = 2.0
"""What has to be left over is at most so many times what was taken: who needs next to nothing keeps nobody out."""


def board(state: State) -> tuple[str, ...]:
    """Lines to take aboard now, in this order. Lines of one listener keep theirs."""
    boarded: list[str] = []
    while (rider := _next_aboard(state)) is not None:
        boarded.append(rider.line)
        state = replace(state, riders=_with(state.riders, replace(rider, aboard=True)))
    return tuple(boarded)


def welcomes(state: State) -> int:
    """How many more streams would be carried now, rather than wait: `MANY`, where it is more.

    Who has come and waits is counted as if aboard, for that is where it will be in a moment; where it will not, nobody
    else is welcome.
    """
    waiting = [rider for rider in state.riders if rider.newcomer and not rider.aboard]
    first = max((state.costs.chunk(1, first_seconds(state, rider)) for rider in waiting), default=0.0)

    def soon(more: int) -> bool:
        return (len(waiting) + more - 1) * first <= state.rules.wait[1]

    if waiting and (not soon(1) or spare_seconds(state) < 0):
        return 0
    riders = (replace(rider, aboard=True) if rider.newcomer else rider for rider in state.riders)
    seen = replace(state, riders=tuple(riders))

    def carried(more: int) -> bool:
        placed = seen.free >= more or _at_a_stretch(seen)
        return placed and soon(more) and _carried(seen, more=more)

    # More are never carried where fewer are not, and mostly it is none or many.
    return next((more for more in range(MANY, 0, -1) if carried(more)), 0) if carried(1) else 0


def _next_aboard(state: State) -> Rider | None:
    if state.free <= 0 or all(rider.aboard for rider in state.riders):
        return None
    places = Counter(rider.job for rider in state.riders if rider.aboard)
    spare = spare_seconds(state)
    heads = sorted(_heads(state), key=lambda rider: _place_rank(state, rider, places[rider.job]))
    return next((rider for rider in heads if _welcome(state, rider, spare)), None)


def _heads(state: State) -> list[Rider]:
    """The first waiting line of each job, and of the newcomers only the first: they come in as they came.

    A stream has one place at a time: its next line needs none before this one is made.
    """
    heads: dict[int, Rider] = {}
    for rider in state.riders:
        if not rider.aboard and not rider.mute and (rider.leads or not rider.stream):
            heads.setdefault(rider.job, rider)
    later = [rider.line for rider in heads.values() if rider.newcomer][1:]
    return [rider for rider in heads.values() if rider.line not in later]


def _place_rank(state: State, rider: Rider, places: int) -> tuple[float, ...]:
    """As in a turn, but files are owed one place only; of their jobs who has fewest comes first."""
    band, *rest = rank(state, rider)
    if rider.stream:
        return (band, *rest)
    return (4 if _file_aboard(state) else band, places, *rest)


def _welcome(state: State, rider: Rider, spare: float) -> bool:
    """Whether the started keep their sound when it gets this place."""
    if rider.guarded:
        return True
    if rider.newcomer:
        fits = spare >= 0 and _carried(state, rider) and _spares_the_place(state, rider, spare)
        return fits and (not state.whole or _goes_on(state, rider) or _nobody_hears(state))
    if state.free <= state.room // 16:
        return False  # A place in sixteen is kept for streams that have none yet.
    return (overdue(state, rider) and not _file_aboard(state)) or _spares_the_place(state, rider, spare)


def _goes_on(state: State, newcomer: Rider) -> bool:
    """Whether behind its first line, which comes whole, everybody's next can be made in time: its own as well."""
    begins = state.costs.chunk(1, newcomer.seconds)
    slack = begins + newcomer.seconds
    others = [rider for rider in state.riders if rider is not newcomer]
    mine = next((index for index, rider in enumerate(others) if rider.job == newcomer.job), None)
    if mine is not None:
        others[mine] = replace(others[mine], leads=True, started=True, slack=slack)
    return spare_seconds(replace(state, riders=tuple(others))) >= begins


def _nobody_hears(state: State) -> bool:
    return not any(rider.guarded for rider in state.riders)


def _file_aboard(state: State) -> bool:
    return any(rider.aboard and not rider.stream for rider in state.riders)


def _carried(state: State, newcomer: Rider | None = None, more: int = 1) -> bool:
    """Whether one more stream, or so many, leave every listener with sound. Without a newcomer: that never end."""
    streams = {rider.job for rider in state.riders if _burdens(state.rules, rider)}
    files = any(not rider.stream for rider in state.riders)
    limit = state.rules.full - (state.rules.share if files else 0.0)
    together = len(streams) + more
    if together == 1:
        return True
    placed = together <= state.room - files or _at_a_stretch(state)
    load = state.costs.load(together, state.side_by_side)
    # Lines that come whole are too coarse for shares of time: where it can be known when all end, that decides.
    known = state.whole and newcomer is not None and all(rider.rest < math.inf for rider in (newcomer, *state.riders))
    lasts = load <= limit and not known
    ends = newcomer is not None and not lasts and _ends_in_time(state, newcomer, limit)
    return placed and (lasts or ends) and _prosper(state, load)


def _ends_in_time(state: State, newcomer: Rider, limit: float) -> bool:
    """Whether all can be made before it is missed, since listeners come to their end: more than fit for good.

    From when it would run dry until its last sound each takes its share of all time, and what is taken by any moment
    must have been there. A line that comes whole keeps all others waiting, so that much more must be left.
    """
    costs, rows = state.costs, state.side_by_side
    started = [rider for rider in state.riders if rider.leads and _burdens(state.rules, rider)]
    begins = costs.chunk(min(len(started) + 1, rows), first_seconds(state, newcomer))
    heard = [(max(0.0, rider.slack), rider.rest) for rider in started] + [(begins, newcomer.rest)]
    if any(math.isinf(rest) for _, rest in heard):
        return False
    blocked = max(costs.chunk(1, rider.seconds) for rider in (*started, newcomer)) if state.whole else 0.0
    spare = state.rules.safe + blocked
    changes = sorted([(dry, 1) for dry, _ in heard] + [(dry + rest, -1) for dry, rest in heard])
    taken, now, streams = 0.0, 0.0, 0
    for at, change in changes:
        taken += (at - now) * costs.load(streams, rows) if streams else 0.0
        if taken + min(spare, LATE * taken) > limit * at:
            return False
        now, streams = at, streams + change
    return True


def _prosper(state: State, load: float) -> bool:
    """Whether half of the started have enough in hand to be served in chunks that cost little: more, the fuller the
    deck, and less, the less is still to come of them."""
    rules = state.rules
    full = min(2.0, (load - rules.light) / (rules.full - rules.light))
    if full <= 0.0:
        return True
    started = [rider for rider in state.riders if rider.guarded]
    rich = sum(rider.slack >= full * min(rules.poor, rules.thrift * rider.rest) for rider in started)
    return 2 * rich >= len(started)


def _burdens(rules: Rules, rider: Rider) -> bool:
    """A stream that was let in. Not with a minute in hand; nor dry with its sound unread: then nobody listens."""
    stalled = rider.held and rider.slack < 0
    return rider.stream and (rider.started or rider.aboard) and rider.slack < rules.rich and not stalled


def _spares_the_place(state: State, rider: Rider, spare: float) -> bool:
    """A place that a started stream waits for is lent to others only where that is short."""
    due = sum(other.guarded and not other.aboard for other in state.riders)
    return state.free > due or (_at_a_stretch(state) and state.costs.chunk(1, rider.seconds) <= spare)


def _at_a_stretch(state: State) -> bool:
    """Whether a line that has a place is done with it soon. Elsewhere it keeps it for as long as it is heard, or
    as the started leave it no time: each stream needs a place of its own."""
    return state.whole or state.room == 1


def _with(riders: tuple[Rider, ...], changed: Rider) -> tuple[Rider, ...]:
    return tuple(changed if rider.line == changed.line else rider for rider in riders)
