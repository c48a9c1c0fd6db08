"""An order's cast: who speaks, as the engine conditions on it, and each segment as a line for it."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from models.engine import Line, Piece
from models.feed import Feed
from models.listener import Listener
from models.resident import Resident
from speech.gauge import gauged
from speech.loudness import stream_gain_db
from speech.order import Order, Role
from speech.writing import LONG_SECONDS, Stroke
from voices.conditioning import Conditioning
from voices.derived import Derived

RUNAWAY_TIMES, RUNAWAY_SECONDS = 3.0, 5.0
"""A line may play this many times as long as expected, and so many seconds more."""
GOLDEN = 0x9E3779B97F4A7C15
"""Sets the seeds of an order's lines far apart."""

Written = AsyncIterable[Stroke]
"""Text that comes while other is being spoken."""


@dataclass(frozen=True, slots=True)
class Cast:
    order: Order
    held: dict[str, Derived]
    """What the engine derived from each voice, by digest."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    feeds: dict[str, Feed] = field(default_factory=dict)
    """Of live lines that nobody speaks yet, by line."""

    @classmethod
    async def of(cls, order: Order, resident: Resident, conditioning: Conditioning) -> Self:
        key = (order.card.id, order.card.revision)
        held = {}
        for role in {role.voice.digest: role for role in order.roles}.values():
            held[role.voice.digest] = await conditioning.get(role.voice, key, partial(gauged, role, resident))
        return cls(order, held)

    @property
    def gains_db(self) -> dict[str, float]:
        """Measured ones, by digest."""
        return {
            digest: stream_gain_db(derived.loudness, self.order.loudness)
            for digest, derived in self.held.items()
            if derived.loudness is not None
        }

    async def lines(self) -> AsyncGenerator[Line, None]:
        """All of them, at once."""
        texts = ["", *(role.segment.text for role in self.order.roles), ""]
        for index, role in enumerate(self.order.roles):
            yield self._line(index, role, texts[index], texts[index + 2])

    async def following(self, written: Written) -> AsyncGenerator[Line, None]:
        """As they are written, each in the manner of the order's one role; the order's roles grow with them. Whoever
        asks for the next line has the one before fed to its end, no faster than it is spoken."""
        roles = self.order.roles
        assert isinstance(roles, list)
        manner, before, index, feed = roles[0], "", -1, Feed()
        async for stroke in written:
            if stroke.opens:
                index += 1
                roles[index:] = [replace(manner, segment=stroke.segment, live=not stroke.closes)]
                line = self._line(index, roles[index], before, "")
                if line.live:
                    feed = self.feeds[line.id] = Feed()
                yield line
            else:
                roles[index] = longer(roles[index], stroke.segment.text)
                await feed.put(stroke.segment.text)
            if stroke.closes:
                feed.finish()
                before = roles[index].segment.text
        feed.finish()

    def speak(self, resident: Resident, listener: Listener, line: Line) -> AsyncGenerator[Piece, None]:
        return resident.speak(line, listener, self.feeds.pop(line.id, None))

    def id(self, index: int) -> str:
        return f"{self.name}/{index}"

    def _line(self, index: int, role: Role, before: str, after: str) -> Line:
        order = self.order
        speed = order.card.natively(role.segment.speed)
        expected = 2 * LONG_SECONDS if role.live else role.seconds(order.card)
        return Line(
            id=self.id(index),
            text=role.segment.text,
            language=role.language,
            conditioning=self.held[role.voice.digest].arrays,
            options=role.options,
            seed=(order.seed + index * GOLDEN) % 2**63,
            speed=speed,
            longest=expected / speed * RUNAWAY_TIMES + RUNAWAY_SECONDS,
            before=before,
            after=after,
            source=role.source,
            live=role.live,
        )


def longer(role: Role, text: str) -> Role:
    return replace(role, segment=replace(role.segment, text=role.segment.text + text))
