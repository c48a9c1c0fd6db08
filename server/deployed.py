"""The executor in front of deployed RunPod endpoints: the gateway. Jobs go to the endpoint that serves their model.

A job is submitted at most once unless it does no harm twice; one that nobody waits for any more is cancelled on its
endpoint, behind the caller's back and within a bound. What no worker is needed for wakes none.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from basics.errors import Failure
from basics.events import Done, Event, Failed
from basics.limits import WIDE_BYTES
from basics.settings import Settings
from basics.version import VERSION
from operations.background import Background
from operations.house import House
from operations.job import Job
from operations.records import Line
from server.endpoint import Endpoint, session
from server.executor import Readiness
from server.front import front
from server.own import Own
from server.remote import OPEN, Pace, Patience, answers
from server.routing import Routes
from server.sending import Sending
from server.stretches import stretched
from server.vitals import Vitals
from voices.fetching import Fetching, fetch

log = logging.getLogger("worker.deployed")

MOST_JOBS = 1000
"""At once, where MAX_CONCURRENCY does not say: each is a job on the platform and little here."""
SHORT = {"models.list", "models.get", "voices.list", "voices.get", "system.gpu", "jobs.list", "jobs.get"}
"""Read-only and quick: asked with `runsync`, again where the answer was lost."""
SHORT_SECONDS = 20.0
"""How long one look at those lasts."""
BACKGROUND_JOBS = 200
"""At once on the platform of those that nobody waits for; more wait here, and the platform's looks suffice for each."""


class Deployed:
    def __init__(self, settings: Settings, queue_seconds: float | None = None, house: House | None = None) -> None:
        """On the loop that asks. `queue_seconds`: for a worker to take a job; else EXECUTION_SECONDS."""
        self._settings = settings
        self._routes = Routes(settings)
        self._session = session(settings.runpod_api_key)
        address = settings.endpoint_address.rstrip("/")
        self._endpoints = {id: Endpoint(id, address, self._session) for id in self._routes.endpoints()}
        self._vitals = Vitals(self._endpoints, self._routes)
        self._pace = Pace()
        self._patience = Patience(queue_seconds or settings.execution_seconds, settings.execution_seconds)
        self._sending = Sending(self._pace, self._patience)
        self._fetching = Fetching(WIDE_BYTES, allow_hosts=settings.allow_hosts)
        self._most = settings.max_concurrency or MOST_JOBS
        self._running = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._house = house or front(settings, self._routes)
        self._own = Own(self._house, self._endpoints, self._asked)
        self._background = Background(
            self._house, self._accepted, self._routes.of_model, settings.max_concurrency or BACKGROUND_JOBS
        )
        self._begun = asyncio.ensure_future(self._background.start())

    async def perform(self, job: Job) -> AsyncGenerator[Event, None]:
        if self._running >= self._most and not job.goes_on:
            yield Failed(Failure("busy", "This server holds as many jobs as it can; try again in a moment."))
            return
        self._running += 1
        try:
            async with aclosing(self._recorded(job)) as events:
                async for event in events:
                    yield event
        finally:
            self._running -= 1

    async def readiness(self) -> Readiness:
        """Ready where one endpoint answers, with workers or without: it makes them when jobs come."""
        return await self._vitals.readiness()

    async def metrics(self) -> str:
        return await self._vitals.metrics(self._running, self._outcomes)

    async def background(self) -> Background:
        await asyncio.shield(self._begun)
        return self._background

    async def close(self) -> None:
        await asyncio.shield(self._begun)
        await self._background.drain()
        await self._sending.close()
        await self._session.close()
        await self._house.close()

    async def _recorded(self, job: Job) -> AsyncGenerator[Event, None]:
        """As in this process: what makes speech has its line in the history."""
        line = Line.begun(job, self._house)
        if line is not None:
            job = replace(job, placed=line.placed)
        self._house.running.add(job)
        try:
            async with aclosing(self._accepted(job)) as events:
                async for event in events:
                    if line is not None:
                        line.hear(event)
                    yield event
        finally:
            self._house.running.discard(job)
            if line is not None:
                line.end()

    async def _accepted(self, job: Job) -> AsyncGenerator[Event, None]:
        """However many there are."""
        try:
            async with aclosing(self._performed(job)) as events:
                async for event in events:
                    yield event
        except Failure as failure:
            yield Failed(failure)
        except Exception:  # As in `operations.answer`: the traceback goes to the log, never to a caller.
            log.exception("job_broke", extra={"job": job.id})
            yield Failed(Failure("internal", "Something broke inside the server; its log has the details."))

    async def _performed(self, job: Job) -> AsyncGenerator[Event, None]:
        op = job.input.get("op", "speak") if isinstance(job.input, Mapping) else "speak"
        if (own := await self._own.events(op, job)) is not None:
            for event in own:
                yield event
            return
        if job.written is not None:
            async with aclosing(stretched(job, self._house, self._performed)) as events:
                async for event in events:
                    yield event
            return
        if op == "system.health":
            yield Done(await self._health())
            return
        if op == "models.list":
            yield await self._models(job)
            return
        id = self._routes.of_input(job.input)
        asked = self._short(job, id) if op in SHORT else self._long(job, id)
        outcome = "cancelled"
        try:
            async with aclosing(asked) as events:
                async for event in events:
                    if isinstance(event, Done | Failed):
                        outcome = "done" if isinstance(event, Done) else event.error.code
                    yield event
        except Failure as failure:
            outcome = failure.code
            raise _placed(failure, id, self._routes) from None
        finally:
            self._outcomes[id, outcome] += 1

    async def _long(self, job: Job, id: str) -> AsyncGenerator[Event, None]:
        body, whole = self._body(job)
        async with aclosing(self._sending.events(job, self._endpoints[id], body)) as events:
            async for event in events:
                yield await self._brought(event, job) if whole and isinstance(event, Done) else event

    async def _short(self, job: Job, id: str) -> AsyncGenerator[Event, None]:
        for event in await self._asked(job, id):
            yield event

    async def _asked(self, job: Job, id: str) -> list[Event]:
        body, _ = self._body(job)
        endpoint, loop = self._endpoints[id], asyncio.get_running_loop()
        ends = loop.time() + self._patience.queue_seconds
        told = await endpoint.run_sync(body, min(SHORT_SECONDS, self._patience.queue_seconds))
        while told.get("status") in OPEN:
            if loop.time() > ends:
                raise Failure("timed_out", f"No worker answered within {self._patience.queue_seconds:g} s.")
            await asyncio.sleep(self._pace.seconds("IN_QUEUE", 6))
            told = await endpoint.status(str(told.get("id")))
        return list(answers(told))

    def _body(self, job: Job) -> tuple[dict[str, Any], bool]:
        """And whether a whole file is to come with the answer, which the queue cannot carry at any size."""
        if not isinstance(job.input, Mapping):
            raise Failure("invalid_input", "`input` must be a JSON object.", field="input")
        input = dict(job.input)
        if self._routes.model and input.get("op", "speak") == "speak":
            input.setdefault("model", self._routes.model)
        whole = job.wide and input.get("delivery") == "inline"
        if whole:
            input["delivery"] = "auto"
        return {"input": input} | ({} if job.s3 is None else {"s3Config": job.s3}), whole

    async def _brought(self, done: Done, job: Job) -> Done:
        """A file that the endpoint put elsewhere, as if it had come with the answer."""
        audio = done.answer.get("audio")
        if done.data is not None or not isinstance(audio, Mapping):
            return done
        if not isinstance(audio.get("url"), str):
            raise Failure(
                "payload_too_large",
                "The file is too large for RunPod's queue, and the endpoint left it on its own volume.",
                hint="Set up a bucket on the endpoint, ask for a stream, or for a smaller `format` such as mp3.",
            )
        data = await asyncio.to_thread(fetch, audio["url"], self._fetching, job.cancel, "audio")
        told = {name: value for name, value in audio.items() if name not in ("url", "expires_at")}
        rest = {name: value for name, value in done.answer.items() if name != "audio_url"}
        return Done({**rest, "audio": told}, data)

    async def _health(self) -> dict[str, Any]:
        endpoints = await self._vitals.told()
        working = any("workers" in each for each in endpoints)
        return {
            "status": "ready" if working else "unreachable",
            "queue": {"jobs": self._running},
            "endpoints": endpoints,
            "versions": {"worker": VERSION},
        }

    async def _models(self, job: Job) -> Done:
        """Of all endpoints: each card from one that serves the model, if any does."""
        ids = list(self._endpoints)
        told = await asyncio.gather(*(self._asked(job, id) for id in ids), return_exceptions=True)
        cards: dict[tuple[str, str], dict[str, Any]] = {}
        failures: list[Failure] = []
        for found, id in zip(told, ids, strict=True):
            try:
                merge(cards, _cards(found))
            except Failure as failure:
                failures.append(_placed(failure, id, self._routes))
        if len(failures) == len(ids):
            raise failures[0]
        warnings = [f"Not all models are listed: {failure.message}" for failure in failures]
        return Done({"models": list(cards.values())} | ({"warnings": warnings} if warnings else {}))


def merge(cards: dict[tuple[str, str], dict[str, Any]], more: list[dict[str, Any]]) -> None:
    for card in more:
        key = (str(card.get("id")), str(card.get("group")))
        if key not in cards or (card.get("served") and not cards[key].get("served")):
            cards[key] = card


def _cards(found: list[Event] | BaseException) -> list[dict[str, Any]]:
    if isinstance(found, BaseException):
        raise found
    last = found[-1]
    if isinstance(last, Failed):
        raise last.error
    return list(last.answer.get("models") or []) if isinstance(last, Done) else []


def _placed(failure: Failure, id: str, routes: Routes) -> Failure:
    """An endpoint that is not there is a mistake in ENDPOINTS, not the caller's."""
    if failure.code != "not_found" or not failure.message.startswith("RunPod knows no endpoint"):
        return failure
    names = ", ".join(routes.names(id))
    return Failure("misconfigured", f"RunPod knows no endpoint `{id}`, which ENDPOINTS names for {names}.")
