"""A stage for rehearsed loads: Tone with a published engine's costs, on a clock that only its own turns move.

So an hour of load takes a minute, and the same load is exactly the same for every scheduler. Costs are fitted to
Qwen3-TTS 1.7B on one H100 with Triton and a TensorRT codec (vllm-omni pull request 3221: 8.83, 25.1, 40.6 and 85.2
seconds of sound a second at 1, 4, 8 and 32 requests, or 9.1, 12.8, 15.8 and 30.0 ms for a frame of 80 ms). A frame is
9.2 ms and 0.66 ms a row here; how that splits between decoding and codec was not published and is a guess.
"""

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from basics.clock import Clock, TurnedClock
from models.berths import Berth
from models.engine import Deck, Line, Piece, Work
from models.engines.tone import Cost, Score, Tone, ToneOptions
from models.listener import Kind, Listener
from models.runner import Runner
from models.scheduler import Rules

STAGES = ("prefill", "decode", "vocode")
FRAME = 4
"""Of Tone's frames in one of 80 ms."""
COSTS: Mapping[str, Cost] = {
    "prefill": Cost(start=0.008, step=0.00004),
    "decode": Cost(step=0.0080 / FRAME, row=0.00040 / FRAME),
    "vocode": Cost(start=0.004, step=0.0007 / FRAME, row=0.00026 / FRAME),
}
GAP_SECONDS = 0.02
"""Of silence that nobody hears as one."""
PATIENCE_SECONDS = 1.0
"""Without a first sound after which a listener hangs up."""
STEP_SECONDS = 0.01
"""By which time moves where nobody can."""

Make = Callable[[Callable[[], Deck], int, Clock], Runner]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a load."""

    at: float
    seconds: float
    kind: Kind = "stream"


@dataclass(slots=True, eq=False)
class Player:
    """Hears one request and plays it in real time from its first sound on."""

    asked: Asked
    clock: Clock
    listener: Listener
    began: float
    """When the load began."""
    heard: float = 0.0
    gap: float = 0.0
    first: float | None = None
    """Seconds it waited for its first sound."""
    ended: bool = False
    berth: Berth | None = None
    unread: float = 0.0
    """It takes what comes at once."""

    @property
    def came(self) -> float:
        return self.began + self.asked.at

    @property
    def silent_from(self) -> float:
        """When it had heard all that it got, or gave up."""
        if self.listener.first is None:
            return self.clock.now() - self.began
        return self.listener.first + self.listener.given - self.began

    def put(self, piece: Piece) -> None:
        self.ended = self.ended or piece.last
        if len(piece.samples) == 0:
            return
        now = self.clock.now()
        if self.listener.first is None:
            self.listener.first = now
            self.first = now - self.came
        dry = now - self.listener.first - self.listener.given
        if dry > 0:
            self.gap = max(self.gap, dry)
            self.listener.first += dry
        seconds = len(piece.samples) / Tone.card.rate
        self.listener.given += seconds
        self.heard += seconds

    @property
    def content(self) -> bool:
        """Whether it heard all, without a gap. Who hung up before the first sound heard nothing."""
        return self.ended and self.first is not None and self.gap <= GAP_SECONDS


@dataclass(frozen=True, slots=True)
class Ran:
    """A turn as it was seen."""

    stage: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Played:
    """What a load came to."""

    players: Sequence[Player]
    turns: Sequence[Ran]

    def streams(self, start: float = 0.0, end: float = float("inf")) -> list[Player]:
        """Who came within `start` and `end`."""
        return [each for each in self.players if each.asked.kind == "stream" and start <= each.asked.at < end]

    def carried(self, start: float, end: float) -> float:
        """Streams that play at once, on average, of those who hear all of theirs in time and without a gap."""
        return sum(each.asked.seconds for each in self.streams(start, end) if each.content) / (end - start)


def slowed(costs: Mapping[str, Cost], times: float) -> dict[str, Cost]:
    return {name: Cost(cost.start * times, cost.step * times, cost.row * times) for name, cost in costs.items()}


def ours(rules: Rules | None = None) -> Make:
    return lambda open, rows, clock: Runner(open, Tone.card, rows, clock, rules or Rules(), lambda: None)


def play(
    make: Make,
    load: Sequence[Asked],
    rows: int,
    room: int,
    costs: Mapping[str, Cost] = COSTS,
    again: Callable[[float], Asked | None] = lambda _: None,
) -> Played:
    """The whole load, to the last sound. `again` says what who has heard theirs asks for next, given when that is."""
    clock, turns = TurnedClock(), list[Ran]()
    score = Score(STAGES, costs, clock.turn, room, least={"decode": FRAME, "vocode": FRAME})
    runner = make(lambda: Watched(Tone(score).open(room), clock, turns), rows, clock)
    _teach(runner, clock, rows)
    turns.clear()
    began = clock.now()
    coming = [(asked.at, number, asked) for number, asked in enumerate(load)]
    heapq.heapify(coming)
    players, here = list[Player](), list[Player]()
    while coming or here:
        now = clock.now() - began
        while coming and coming[0][0] <= now:
            asked = heapq.heappop(coming)[2]
            player = Player(asked, clock, Listener(asked.kind, asked.seconds), began)
            player.berth = runner.enter(_line(f"line-{len(players)}", asked.seconds), player.listener, player)
            players.append(player)
            here.append(player)
        moved = runner.step()
        for player in [each for each in here if _over(runner, each, clock.now())]:
            here.remove(player)
            if (more := again(player.silent_from)) is not None:
                heapq.heappush(coming, (more.at, len(players) + len(coming), more))
        if not moved:
            clock.turn(STEP_SECONDS)
    return Played(players, turns)


def crowd(
    make: Make, streams: int, seconds: float, rows: int, room: int, costs: Mapping[str, Cost] = COSTS, seed: int = 1
) -> Played:
    """So many clients who ask, listen to the end and ask again at once: 2 to 10 seconds of sound each time."""
    chance = random.Random(seed)

    def again(at: float) -> Asked | None:
        return Asked(at, chance.uniform(2.0, 10.0)) if at < seconds else None

    return play(
        make,
        [Asked(chance.uniform(0.0, 6.0), chance.uniform(2.0, 10.0)) for _ in range(streams)],
        rows,
        room,
        costs,
        again,
    )


class Watched:
    """A deck whose turns are noted."""

    def __init__(self, deck: Deck, clock: Clock, turns: list[Ran]) -> None:
        self._deck, self._clock, self._turns = deck, clock, turns
        self.stages, self.room = deck.stages, deck.room
        self.admit, self.feed, self.drop = deck.admit, deck.feed, deck.drop
        self.ready, self.close = deck.ready, deck.close

    def run(self, work: Sequence[Work]) -> list[Piece]:
        began = self._clock.now()
        pieces = self._deck.run(work)
        self._turns.append(Ran(work[0].stage, len(work), self._clock.now() - began))
        return pieces


def _over(runner: Runner, player: Player, now: float) -> bool:
    """Heard to the end, or given up."""
    if player.asked.kind == "stream" and player.first is None and now - player.came > PATIENCE_SECONDS:
        if player.berth is not None:
            runner.leave(player.berth)
        return True
    return player.ended


def _teach(runner: Runner, clock: TurnedClock, rows: int) -> None:
    """A warmed-up worker: it knows what full turns cost."""
    for count in (1, rows):
        players = [Player(Asked(0.0, 2.0, "file"), clock, Listener("file"), clock.now()) for _ in range(count)]
        for number, player in enumerate(players):
            runner.enter(_line(f"first-{count}-{number}", 2.0), player.listener, player)
        while runner.step():
            pass


def _line(id: str, seconds: float) -> Line:
    text = ("word " * 400)[: max(1, round(seconds * Tone.card.pace))]
    return Line(id, text, "en", {"hertz": np.array([440.0])}, ToneOptions(), seed=7, longest=600.0)
