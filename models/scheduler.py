"""Who moves next: a pure choice over plain data. Who comes aboard at all is `boarding.py`'s.

`choose` picks a stage, the rows that run it and how far each goes. A started stream is never sacrificed for a new
one: others move only in the time that the started can spare, counted in learnt costs. Nothing here touches an array,
a thread or a clock.
"""

import math
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

    margin: float = 0.03
    """Kept in hand by each started stream for the way to its listener."""
    comfort: float = 2.0
    """In hand, from which on a stream lets files go first."""
    first: float = 0.3
    """Sound of a first chunk, where a line that is not aboard has not told yet."""
    growth: float = 0.8
    """A chunk grows up to this part of the sound in hand: the ramp."""
    chunk: float = 4.0
    """Sound of the largest chunk."""
    turn: float = 0.1
    """A turn is cut to this while others wait, so that a newcomer does not stall behind a long one."""
    full: float = 0.9
    """Of all time, what may be promised to streams; the rest reads texts and begins new lines."""
    share: float = 0.1
    """Of all time, what files are owed while streams want it too."""
    patience: float = 5.0
    """Time owed to files from which on they go before anybody."""
    second: float = 0.16
    """Sound of the smallest chunk after the first: a vocoder's call has a price of its own."""
    wait: tuple[float, float] = (0.0, 0.5)
    """Seconds after which a newcomer's first sound is due, on a deck that is not busy and on one without a rest."""
    busy: float = 0.8
    """Of all time, from which on newcomers wait longer than they must."""
    poor: float = 0.5
    """In hand of half of the started, under which nobody new comes aboard a full deck; more on a fuller one, less where
    there is little to do. Small chunks cost most, so who has little in hand would never have more."""
    thrift: float = 0.2
    """Of what is still to come, the part that is asked to be in hand at most."""
    safe: float = 0.1
    """Seconds that must be left where listeners are let in because all of them end."""
    light: float = 0.6
    """Of all time, up to which a deck has little to do."""
    waste: float = 1.1
    """A turn is cut to less while that makes its work at most so much dearer, for newcomers to find the deck free."""
    brisk: float = 0.02
    """A turn so short is cut no further for that."""
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
    rest: float = math.inf
    """Seconds of sound still to come for its listener, about; without an end while its text is being written."""
    waited: float = 0.0
    """Seconds since it came."""
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
    def wait(self) -> float:
        """Seconds after which a newcomer's first sound is due."""
        streams = len({rider.job for rider in self.riders if rider.stream})
        load = self.costs.load(streams, self.side_by_side)
        least, most = self.rules.wait
        return least + (most - least) * min(1.0, max(0.0, (load - self.rules.busy) / (1.0 - self.rules.busy)))

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
    offers = _offers(state)
    movers = _together(state, offers)
    if not movers:
        return None
    spare = spare_seconds(state)
    lead = next((rider for rider in movers if _may_lead(state, rider, offers[rider.line], spare)), movers[0])
    return _turn(state, lead, movers, offers, spare)


def _together(state: State, offers: dict[str, list[Work]]) -> list[Rider]:
    """Who can move, by rank. Of the newcomers first who can be heard now, then who is behind.

    So they go on side by side, and nobody waits for another's whole way.
    """
    movers = sorted((rider for rider in state.riders if rider.line in offers), key=lambda rider: rank(state, rider))
    at = {stage: index for index, stage in enumerate((*state.stages[-1:], *state.stages[:-1]))}
    newcomers = (rider for rider in movers if rider.newcomer)
    abreast = iter(sorted(newcomers, key=lambda rider: at[_step(state, rider, offers[rider.line]).stage]))
    return [next(abreast) if rider.newcomer else rider for rider in movers]


def spare_seconds(state: State) -> float:
    """Time that may go to others before the tightest started stream would miss its next chunk.

    The least slack first, as many side by side as a turn holds: the classic test whether deadlines can be met. The
    tightest of a turn may go with fewer, so each is tested beside those only who are as tight.
    """
    guarded = sorted((rider for rider in state.riders if rider.guarded), key=lambda rider: rider.slack)
    side_by_side = min(state.side_by_side, max(1, len(guarded)))
    spare, needed = math.inf, state.rules.margin
    for start in range(0, len(guarded), side_by_side):
        group = guarded[start : start + side_by_side]
        first = max(first_seconds(state, rider) for rider in group)
        for tightest in (0, *(2**power for power in range(side_by_side.bit_length()))):
            if tightest < len(group):
                took = state.costs.chunk(min(len(group), max(1, 2 * tightest)), first)
                spare = min(spare, group[tightest].slack - needed - took)
        needed += state.costs.chunk(len(group), first)
    return spare


def settle(owed: float, seconds: float, files: int, rows: int, contended: bool, share: float) -> float:
    """What files are owed after a turn of `rows`, `files` of them theirs. Nothing while nobody contends."""
    return max(0.0, owed + seconds * (share - files / rows)) if contended else 0.0


# Who may move


def rank(state: State, rider: Rider) -> tuple[float, ...]:
    """Overdue files, owed files, streams without comfort and newcomers, files, the rest: in this order."""
    if not rider.stream:
        band = 0 if state.owed > state.rules.patience else 1 if state.owed > 0 else 3
        return (band, rider.served, rider.order)
    return (2 if rider.newcomer or rider.slack < state.rules.comfort else 4, _due(state, rider), rider.order)


def overdue(state: State, rider: Rider) -> bool:
    """A file that has waited for its share too long."""
    return not rider.stream and state.owed > state.rules.patience


def _due(state: State, rider: Rider) -> float:
    """Seconds until its next sound is due: a newcomer's is so after it came, the later the more the deck has to do."""
    return state.wait - rider.waited if rider.newcomer else rider.slack


def _may_lead(state: State, rider: Rider, works: Sequence[Work], spare: float) -> bool:
    if rider.guarded or overdue(state, rider):
        return True
    work = _step(state, rider, works)
    return state.costs.of(work.stage, 1, work.least) <= spare


def _offers(state: State) -> dict[str, list[Work]]:
    """What each line aboard could do next, the latest stage first."""
    at = {stage: index for index, stage in enumerate(state.stages)}
    moving = {rider.line for rider in state.riders if rider.aboard and not rider.held}
    offers: dict[str, list[Work]] = {}
    for work in sorted(state.ready, key=lambda work: -at[work.stage]):
        if work.line in moving:
            offers.setdefault(work.line, []).append(work)
    return offers


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


def _step(state: State, rider: Rider, works: Sequence[Work]) -> Work:
    """The latest stage that has a chunk's worth, else the earliest as far as one needs it.

    The ramp: the first chunk as small as the engine speaks well, then growing with the sound in hand.
    """
    rules = state.rules
    least = max(_lasting(state), rules.second if rider.started else 0.0)
    seconds = min(rules.chunk, max(least, rider.slack * rules.growth)) if rider.stream else rules.chunk
    work = next((work for work in works if work.seconds >= seconds), works[-1])
    if rider.guarded and rider.slack < rules.margin + _way_out(state, work, works[0]):
        work = works[0]
    made = works[0].seconds if work is not works[0] else 0.0
    return _cut(work, seconds - made)


def _way_out(state: State, work: Work, out: Work) -> float:
    """Seconds until sound that is nearly made can be out, where another step of `work` comes before."""
    return state.costs.of(work.stage, state.side_by_side, work.least) + state.costs.of(
        out.stage, state.side_by_side, out.size
    )


def _turn(state: State, lead: Rider, movers: Sequence[Rider], offers: dict[str, list[Work]], spare: float) -> Turn:
    """The lead's stage, and whoever can go along without costing the started what they cannot spare."""
    first = _step(state, lead, offers[lead.line])
    stage = first.stage
    due = lead.guarded or overdue(state, lead)
    limit = min(state.rules.turn, max(spare, _seconds(state, [_cut(first, _lasting(state))]) if due else 0.0))
    rows = _shrunk(state, [first], limit)
    # Where the started have their turn anyway, only what others add to it is taken from them.
    allowed = spare + (_seconds(state, rows) if lead.guarded else 0.0)
    for rider in movers:
        work = next((work for work in offers[rider.line] if work.stage == stage), None)
        if work is None or rider is lead or len(rows) >= state.rows:
            continue
        more = [*rows, _sized(work, rows[0].size)]
        if rider.guarded or _seconds(state, more) <= allowed:
            rows = more
    return Turn(stage, tuple(_brisk(state, _shrunk(state, rows, limit))))


def _brisk(state: State, rows: list[Work]) -> list[Work]:
    """Halved while that costs little. Only where such a turn was seen: all else is bounded, not known."""
    stage, count = rows[0].stage, len(rows)
    size, least = max(work.size for work in rows), max(work.least for work in rows)
    if not state.costs.knows(stage, count, size):
        return rows
    dearest = state.costs.of(stage, count, size) / size * state.rules.waste
    while size > least:
        half = max(least, size // 2)
        seconds = state.costs.of(stage, count, half)
        if seconds < state.rules.brisk or seconds / half > dearest:
            break
        size = half
    return [_sized(work, size) for work in rows]


def _seconds(state: State, rows: Sequence[Work]) -> float:
    return state.costs.of(rows[0].stage, len(rows), max(work.size for work in rows))


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


def first_seconds(state: State, rider: Rider) -> float:
    return rider.seconds if state.whole else min(rider.seconds, state.first)
