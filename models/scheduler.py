"""Who comes aboard, and who moves next: two pure choices over plain data.

`board` gives places to waiting lines, `choose` picks a stage, the rows that run it and how far each goes. A
started stream is never sacrificed for a new one: others move only in the time that the started can spare, counted
in learnt costs. Nothing here touches an array, a thread or a clock.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from models.costs import Costs
from models.engine import Work

_ANY = 2**31
"""A size that bounds nothing."""
_STEPS = 8
"""In which the smallest chunk is found, to a few hundredths."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the choices weigh. Seconds of sound where it says so, else seconds of time."""

    margin: float = 0.06
    """Kept in hand by each started stream for the way to its listener."""
    comfort: float = 2.0
    """In hand, from which on a stream lets files go first."""
    first: float = 0.3
    """Sound of a first chunk, where a line that is not aboard has not told yet."""
    growth: float = 0.5
    """A chunk grows up to this part of the sound in hand: the ramp."""
    chunk: float = 4.0
    """Sound of the largest chunk."""
    turn: float = 0.1
    """A turn is cut to this while others wait, so that a newcomer does not stall behind a long one."""
    full: float = 0.9
    """Of all time, what may be promised to streams."""
    share: float = 0.1
    """Of all time, what files are owed while streams want it too."""
    patience: float = 5.0
    """Time owed to files from which on they go before anybody."""
    rich: float = 60.0
    """Sound in hand, from which on a stream is no load."""
    ahead: float = 20.0
    """Sound nobody has taken yet, from which on a line is held."""
    look: float = 1.0
    """How often those who wait are looked at while nothing can move."""


@dataclass(frozen=True, slots=True)
class Rider:
    """A line as the choices see it."""

    line: str
    job: int
    """Whose it is: lines of one listener share it."""
    order: int
    """Of arrival."""
    served: int
    """When its job last moved, or arrived; counted in turns and arrivals."""
    aboard: bool
    stream: bool
    """Whether somebody hears it while it is made."""
    started: bool
    """Whether its listener has heard, or holds, some of it."""
    leads: bool
    """Whether it is the first of its listener's lines here."""
    slack: float
    """Seconds until its first missing sound would be missed."""
    seconds: float
    """Of sound still to come from it, about."""
    held: bool = False
    """Whether enough of its sound lies unread."""
    mute: bool = False
    """Whether it waits for its own text."""

    @property
    def guarded(self) -> bool:
        """A started stream that can run dry. One whose sound lies unread while it is dry does not listen, and
        one without text is silent by its writer's choice."""
        return self.stream and self.started and self.leads and not self.held and not self.mute

    @property
    def newcomer(self) -> bool:
        return self.stream and self.leads and not self.started


@dataclass(frozen=True, slots=True)
class State:
    """All that the choices look at."""

    stages: tuple[str, ...]
    riders: tuple[Rider, ...]
    """In order of arrival."""
    ready: tuple[Work, ...] = ()
    room: int = 1
    rows: int = 1
    """Most rows of a turn."""
    whole: bool = False
    """Whether a line's sound comes in one piece."""
    first: float = 0.3
    """Seconds of sound of the smallest chunk, as last offered."""
    owed: float = 0.0
    """Seconds by which files are behind their share."""
    costs: Costs = field(default_factory=Costs)
    rules: Rules = Rules()

    @property
    def free(self) -> int:
        return self.room - sum(rider.aboard for rider in self.riders)

    @property
    def side_by_side(self) -> int:
        return max(1, min(self.rows, self.room))


@dataclass(frozen=True, slots=True)
class Turn:
    """One stage, and exactly the rows that run it."""

    stage: str
    work: tuple[Work, ...]


def choose(state: State) -> Turn | None:
    """The next turn; None when no line aboard can move."""
    wanted = _wanted(state)
    movers = sorted((rider for rider in state.riders if rider.line in wanted), key=lambda rider: _rank(state, rider))
    if not movers:
        return None
    spare = spare_seconds(state)
    lead = next((rider for rider in movers if _may_lead(state, rider, wanted[rider.line], spare)), movers[0])
    return _turn(state, lead, movers, wanted, spare)


def board(state: State) -> tuple[str, ...]:
    """Lines to take aboard now, in this order. Lines of one listener keep theirs."""
    boarded: list[str] = []
    while (rider := _next_aboard(state)) is not None:
        boarded.append(rider.line)
        state = replace(state, riders=_with(state.riders, replace(rider, aboard=True)))
    return tuple(boarded)


def welcomes(state: State) -> bool:
    """Whether one more stream would be carried now, rather than wait."""
    waits = any(rider.newcomer and not rider.aboard for rider in state.riders)
    return not waits and (state.free > 0 or _at_a_stretch(state)) and _carried(state)


def spare_seconds(state: State) -> float:
    """Time that may go to others before the tightest started stream would miss its next chunk.

    The least slack first, as many side by side as a turn holds: the classic test whether deadlines can be met.
    """
    guarded = sorted((rider for rider in state.riders if rider.guarded), key=lambda rider: rider.slack)
    side_by_side = min(state.side_by_side, max(1, len(guarded)))
    spare, needed = math.inf, state.rules.margin
    for start in range(0, len(guarded), side_by_side):
        group = guarded[start : start + side_by_side]
        needed += state.costs.chunk(len(group), max(_first(state, rider) for rider in group))
        spare = min(spare, group[0].slack - needed)
    return spare


def settle(owed: float, seconds: float, files: int, rows: int, contended: bool, share: float) -> float:
    """What files are owed after a turn of `rows`, `files` of them theirs. Nothing while nobody contends."""
    return max(0.0, owed + seconds * (share - files / rows)) if contended else 0.0


# Who may move


def _rank(state: State, rider: Rider) -> tuple[float, ...]:
    """Overdue files, owed files, newcomers, streams without comfort, files, the rest: in this order."""
    if not rider.stream:
        band = 0 if state.owed > state.rules.patience else 1 if state.owed > 0 else 4
        return (band, rider.served, rider.order)
    if rider.newcomer:
        return (2, rider.order)
    return (3 if rider.slack < state.rules.comfort else 5, rider.slack, rider.order)


def _overdue(state: State, rider: Rider) -> bool:
    """A file that has waited for its share too long."""
    return not rider.stream and state.owed > state.rules.patience


def _may_lead(state: State, rider: Rider, work: Work, spare: float) -> bool:
    if rider.guarded or _overdue(state, rider):
        return True
    return state.costs.of(work.stage, 1, work.least) <= spare


def _wanted(state: State) -> dict[str, Work]:
    """What each line aboard should do next: the latest stage that has a chunk's worth, else the earliest."""
    at = {stage: index for index, stage in enumerate(state.stages)}
    moving = {rider.line: rider for rider in state.riders if rider.aboard and not rider.held}
    offers: dict[str, list[Work]] = {}
    for work in sorted(state.ready, key=lambda work: -at[work.stage]):
        if work.line in moving:
            offers.setdefault(work.line, []).append(work)
    least = _lasting(state)
    return {line: _chunk(state, least, moving[line], works) for line, works in offers.items()}


def _lasting(state: State) -> float:
    """Sound of the smallest chunk that is worth sending: it must last until the next one can be there."""
    listening = sum(rider.guarded or (rider.newcomer and rider.aboard) for rider in state.riders)
    side_by_side = max(1, min(listening, state.side_by_side))
    least = state.first
    # Each step comes nearer to the chunk that plays as long as the next of its kind takes; a slow engine has none.
    for _ in range(_STEPS):
        needed = state.rules.margin + state.costs.chunk(side_by_side, least)
        if least >= needed:
            break
        least = min(needed, state.rules.chunk)
    return least


def _chunk(state: State, least: float, rider: Rider, works: Sequence[Work]) -> Work:
    """The ramp: the first chunk as small as the engine speaks well, then growing with the sound in hand."""
    rules = state.rules
    seconds = min(rules.chunk, max(least, rider.slack * rules.growth)) if rider.stream else rules.chunk
    work = next((work for work in works if work.seconds >= seconds), works[-1])
    if rider.guarded and rider.slack < rules.margin + _way_out(state, work, works[0]):
        work = works[0]
    return _cut(work, seconds)


def _way_out(state: State, work: Work, out: Work) -> float:
    """Seconds until sound that is nearly made can be out, where another step of `work` comes before."""
    return state.costs.of(work.stage, state.side_by_side, work.least) + state.costs.of(
        out.stage, state.side_by_side, out.size
    )


def _turn(state: State, lead: Rider, movers: Sequence[Rider], wanted: dict[str, Work], spare: float) -> Turn:
    """The lead's stage, and whoever can go along without costing the started what they cannot spare."""
    first = wanted[lead.line]
    stage = first.stage
    due = lead.guarded or _overdue(state, lead)
    limit = min(state.rules.turn, max(spare, _seconds(state, [_cut(first, _lasting(state))]) if due else 0.0))
    rows = _shrunk(state, [first], limit)
    most = rows[0].size if _urgent(state, lead) else _ANY
    along = [rider for rider in movers if rider is not lead and wanted[rider.line].stage == stage]
    # Who has time gives its row to a newcomer: full turns of the started would keep it out otherwise.
    pressed = [rider for rider in along if _pressed(state, rider)]
    rows += [_sized(wanted[rider.line], most) for rider in pressed][: state.rows - 1]
    # Where the started have their turn anyway, only what others add to it is taken from them.
    allowed = spare + (_seconds(state, rows) if lead.guarded else 0.0)
    for rider in along:
        more = [*rows, _sized(wanted[rider.line], most)]
        if rider not in pressed and len(more) <= state.rows and (rider.guarded or _seconds(state, more) <= allowed):
            rows = more
    return Turn(stage, tuple(_shrunk(state, rows, limit)))


def _pressed(state: State, rider: Rider) -> bool:
    """A started stream that cannot wait for the turn after this one."""
    chunk = state.costs.chunk(state.side_by_side, state.first)
    return rider.guarded and rider.slack < state.rules.margin + state.rules.turn + 2 * chunk


def _seconds(state: State, rows: Sequence[Work]) -> float:
    return state.costs.of(rows[0].stage, len(rows), max(work.size for work in rows))


def _urgent(state: State, rider: Rider) -> bool:
    """Whether others go no further than it does."""
    return rider.newcomer or (rider.stream and rider.slack < state.rules.comfort)


def _shrunk(state: State, rows: Sequence[Work], limit: float) -> list[Work]:
    """Halved until the turn fits into `limit`, no row under what the engine needs."""
    size, least = max(work.size for work in rows), max(work.least for work in rows)
    while size > least and state.costs.of(rows[0].stage, len(rows), size) > limit:
        size = max(least, size // 2)
    return [_sized(work, size) for work in rows]


def _cut(work: Work, seconds: float) -> Work:
    """To so much sound, where it brings any."""
    return work if work.seconds <= seconds else _sized(work, math.ceil(work.size * seconds / work.seconds))


def _sized(work: Work, size: int) -> Work:
    size = max(work.least, min(size, work.size))
    return work if size == work.size else replace(work, size=size, seconds=work.seconds * size / work.size)


# Who may come aboard


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
    band, *rest = _rank(state, rider)
    if rider.stream:
        return (band, *rest)
    return (4 if _file_aboard(state) else band, places, *rest)


def _welcome(state: State, rider: Rider, spare: float) -> bool:
    """Whether the started keep their sound when it gets this place."""
    if rider.guarded:
        return True
    if rider.newcomer:
        return spare >= 0 and _carried(state) and _spares_the_place(state, rider, spare)
    if state.free <= state.room // 16:
        return False  # A place in sixteen is kept for streams that have none yet.
    return (_overdue(state, rider) and not _file_aboard(state)) or _spares_the_place(state, rider, spare)


def _file_aboard(state: State) -> bool:
    return any(rider.aboard and not rider.stream for rider in state.riders)


def _carried(state: State) -> bool:
    """Whether one more stream leaves every listener with sound."""
    streams = {rider.job for rider in state.riders if _burdens(state.rules, rider)}
    files = any(not rider.stream for rider in state.riders)
    limit = state.rules.full - (state.rules.share if files else 0.0)
    if not streams:
        return True
    placed = len(streams) < state.room - files or _at_a_stretch(state)
    return placed and state.costs.load(len(streams) + 1, state.side_by_side) <= limit


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


def _first(state: State, rider: Rider) -> float:
    return rider.seconds if state.whole else min(rider.seconds, state.first)


def _with(riders: tuple[Rider, ...], changed: Rider) -> tuple[Rider, ...]:
    return tuple(changed if rider.line == changed.line else rider for rider in riders)
