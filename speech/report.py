"""What a finished order is told as: the contract's answer, and where its time went."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from basics.clock import Clock
from speech.mastering import Span
from speech.order import Order

P = ParamSpec("P")
T = TypeVar("T")

MOST_TEXTS = 1000
"""Segments above which their text is left out of the answer."""


@dataclass(slots=True)
class Watch:
    """Seconds of each leg of the way, from when the job came."""

    clock: Clock
    received: float
    seconds: dict[str, float] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    """How often each line was spoken."""
    _since: float | None = None

    def leg(self, name: str) -> None:
        """What passed since the leg before belongs to this one."""
        now = self.clock.now()
        self.seconds[name] = now - (self.received if self._since is None else self._since)
        self._since = now

    async def encoding(self, compute: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Runs in a thread, on encoding's account."""
        began = self.clock.now()
        try:
            return await asyncio.to_thread(compute, *arguments, **named)
        finally:
            self.seconds["encode"] = self.seconds.get("encode", 0.0) + self.clock.now() - began

    def first_audio(self) -> None:
        self.seconds.setdefault("first_audio", self.clock.now() - self.received)

    def told(self) -> dict[str, float]:
        self.seconds["total"] = self.clock.now() - self.received
        return {name: round(self.seconds.get(name, 0.0), 4) for name in LEGS}


LEGS = ("queued", "model", "voice", "first_audio", "synthesis", "encode", "upload", "total")


def answer(
    order: Order, spans: list[Span], watch: Watch, gpu_seconds: float, price_per_hour: float | None
) -> dict[str, Any]:
    """All but `audio`, which delivery adds."""
    audio_seconds = sum(span.duration for span in spans)
    timings = watch.told()
    usage: dict[str, Any] = {
        "characters": order.characters,
        "audio_seconds": round(audio_seconds, 3),
        "gpu_seconds": round(gpu_seconds, 4),
    }
    if price_per_hour is not None:
        usage["cost"] = round(gpu_seconds * price_per_hour / 3600, 8)
    return {
        "segments": segments(order, spans, watch.attempts),
        "timings": timings,
        "rtf": round(timings["synthesis"] / audio_seconds, 4) if audio_seconds else 0.0,
        "usage": usage,
        "model": order.card.id,
        "revision": order.card.revision,
        "voice": order.voice,
        "seed": order.seed,
        "cached": False,
        "warnings": list(order.warnings),
    }


def segments(order: Order, spans: list[Span], attempts: Mapping[int, int]) -> list[dict[str, Any]]:
    named = len(spans) <= MOST_TEXTS
    return [
        ({"text": role.segment.text} if named else {})
        | {
            "start": round(span.start, 4),
            "duration": round(span.duration, 4),
            "voice": role.voice.id,
            "attempts": attempts.get(index, 1),
        }
        for index, (role, span) in enumerate(zip(order.roles, spans, strict=True))
    ]
