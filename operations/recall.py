"""Asking the history from the event loop, without ever being held up by it.

A database that hangs answers no call and ends none: its threads are its own, so that speech, which computes in the
loop's, has all of those; nobody waits longer than a few seconds, and at exit nobody waits at all.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from basics.errors import Failure

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_SECONDS = 20.0
MOST = 32
"""Calls under way at once."""


class Recall:
    def __init__(self) -> None:
        self._asking = 0

    async def ask(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await self.ask_for(LONGEST_SECONDS, call, *arguments, **named)

    async def ask_for(self, seconds: float | None, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Raises `storage_failed` when it takes longer, or when too many wait already; the call goes on unheard.

        None waits for however long it takes.
        """
        if self._asking >= MOST:
            raise _silent()
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                found = call(*arguments, **named)
            except BaseException as error:  # noqa: BLE001 it is raised again, in whoever asked
                _tell(loop, self._failed, answered, error)
            else:
                _tell(loop, self._found, answered, found)

        self._asking += 1
        threading.Thread(target=work, name="recall", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                return await answered
        except TimeoutError:
            raise _silent() from None

    def _found(self, answered: "asyncio.Future[T]", found: T) -> None:
        self._asking -= 1
        if not answered.done():
            answered.set_result(found)

    def _failed(self, answered: "asyncio.Future[Any]", error: BaseException) -> None:
        self._asking -= 1
        if not answered.done():
            answered.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, how: Callable[..., None], *what: object) -> None:
    try:
        loop.call_soon_threadsafe(how, *what)
    except RuntimeError:  # the loop is closed: nobody listens any more
        return


def _silent() -> Failure:
    return Failure("storage_failed", "The history did not answer in time.", retryable=True)
