"""An order's cast: who speaks, as the engine conditions on it, and each segment as a line for it."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from models.engine import Line
from models.resident import Resident
from speech.gauge import gauged
from speech.loudness import stream_gain_db
from speech.order import Order, Role
from speech.plan import Segment
from speech.take import native_speed
from voices.conditioning import Conditioning
from voices.derived import Derived

RUNAWAY_TIMES, RUNAWAY_SECONDS = 3.0, 5.0
"""A line may play this many times as long as expected, and so many seconds more."""
GOLDEN = 0x9E3779B97F4A7C15
"""Sets the seeds of an order's lines far apart."""

Written = AsyncIterable[Segment]
"""Segments that come while others are being spoken."""


@dataclass(frozen=True, slots=True)
class Cast:
    order: Order
    held: dict[str, Derived]
    """What the engine derived from each voice, by digest."""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

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
        """As they are written, each in the manner of the order's one role; the order's roles grow with them."""
        roles = self.order.roles
        assert isinstance(roles, list)
        manner, before, index = roles[0], "", 0
        async for segment in written:
            roles[index:] = [replace(manner, segment=segment)]
            yield self._line(index, roles[index], before, "")
            before, index = segment.text, index + 1

    def id(self, index: int) -> str:
        return f"{self.name}/{index}"

    def _line(self, index: int, role: Role, before: str, after: str) -> Line:
        order = self.order
        speed = native_speed(order, role.segment.speed)
        return Line(
            id=self.id(index),
            text=role.segment.text,
            language=role.language,
            conditioning=self.held[role.voice.digest].arrays,
            options=role.options,
            seed=(order.seed + index * GOLDEN) % 2**63,
            speed=speed,
            longest=order.card.seconds(role.segment.text) / speed * RUNAWAY_TIMES + RUNAWAY_SECONDS,
            before=before,
            after=after,
        )
