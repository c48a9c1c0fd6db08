"""Opening the house for a door: the rooms are imported, the house is built, and what is to be ready is loaded.

The rooms are imported in here, so that a door can do it beside something else. Whatever goes wrong is a Failure.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from basics.errors import Failure
from basics.events import Event, Failed
from basics.settings import Settings
from operations.job import Job

if TYPE_CHECKING:
    from operations.background import Background
    from operations.house import House

log = logging.getLogger("worker.opening")

Answer = Callable[[Job], AsyncGenerator[Event, None]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A house as a door sees it."""

    answer: Answer
    close: Callable[[], Coroutine[Any, Any, None]]
    failure: Failure | None = None
    """Why it can do nothing but say so."""
    admit: Callable[[Job], None] = lambda _: None
    """Raises `busy`: for doors that do not keep a line."""
    metrics: Callable[[], str] = lambda: ""
    """As Prometheus reads them."""
    background: "Callable[[], Background] | None" = None
    """Makes what runs jobs that nobody waits for: once a process, for doors whose callers come back."""

    @property
    def hopeless(self) -> bool:
        """Whether it cannot work, and another host may do better."""
        return self.failure is not None and self.failure.retryable


class Opening(Protocol):
    async def __call__(self, settings: Settings, *, default: bool = True) -> Opened: ...


async def opened(settings: Settings, *, default: bool = True) -> Opened:
    """`default`: whether the default model is loaded where PRELOAD names none."""
    try:
        return await _opened(settings, default)
    except Failure:
        raise
    except Exception as error:
        log.exception("opening_broke")
        raise Failure("internal", "The worker could not start; its log has the details.") from error


async def _opened(settings: Settings, default: bool) -> Opened:
    from operations import house as houses

    house = await asyncio.to_thread(partial(houses.open, settings, on_full=_leave))
    for warning in house.warnings:
        log.warning("settings", extra={"why": warning})
    try:
        for model in settings.preload or ((house.catalogue.default.id,) if default else ()):
            await house.manager.warm(model)
    except BaseException:
        await house.close()
        raise
    return around(house)


def around(house: "House") -> Opened:
    from operations import metrics
    from operations.admission import admit
    from operations.answer import answer
    from operations.background import Background

    return Opened(
        partial(answer, house=house),
        house.close,
        admit=partial(admit, house=house),
        metrics=partial(metrics.rendered, house),
        background=partial(Background, house),
    )


def refusing(failure: Failure) -> Opened:
    """In place of a house that could not be opened: each job is answered with the reason."""
    log.error("start_failed", extra={"code": failure.code, "why": failure.message})

    async def answer(_: Job) -> AsyncGenerator[Event, None]:
        yield Failed(failure)

    async def close() -> None:
        return None

    return Opened(answer, close, failure)


def _leave() -> None:
    """A card that stays full is another host's to serve: as if the platform had ended this worker."""
    log.error("card_stays_full")
    os.kill(os.getpid(), signal.SIGTERM)
