"""What a gateway answers from its own history: `jobs.*`. What it does not know there may be an endpoint's own job.

Where it keeps no history, all of it is asked of the endpoint, as everything else.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from basics.errors import Failure
from basics.events import Done, Event, Failed
from operations import jobs
from operations.hearing import silent
from operations.house import House
from operations.job import Job
from operations.jobs import OneInput
from server.endpoint import Endpoint

OPERATIONS = {
    "jobs.list": jobs.list_jobs,
    "jobs.get": jobs.get_job,
    "jobs.audio": jobs.audio,
    "jobs.cancel": jobs.cancel,
}

Ask = Callable[[Job, str], Awaitable[list[Event]]]
"""A short job of an endpoint, by its id."""


class Own:
    def __init__(self, house: House, endpoints: Mapping[str, Endpoint], ask: Ask) -> None:
        self._house, self._endpoints, self._ask = house, endpoints, ask

    async def events(self, op: object, job: Job) -> list[Event] | None:
        """None for what an endpoint has to answer. Raises the operation's Failure."""
        if op not in OPERATIONS or not self._house.history.durable:
            return None
        operation = OPERATIONS[str(op)]
        if op != "jobs.list" and not await self._known(id := OneInput.parse(job.input).id):
            return [await self._cancelled(id)] if op == "jobs.cancel" else None
        if op == "jobs.audio" and (heard := await self._heard_there(job, id)) is not None:
            return heard
        async with aclosing(operation(job, self._house)) as events:
            return [event async for event in events]

    async def _known(self, id: str) -> bool:
        house = self._house
        if id in house.held or any(each.id == id for each in house.running):
            return True
        return await house.recall.ask(house.history.get, id) is not None

    async def _heard_there(self, job: Job, id: str) -> list[Event] | None:
        """The sound that is kept where it was made. None where this server has it, or nobody."""
        record = await self._house.recall.ask(self._house.history.get, id)
        endpoint, _, there = (record.place if record else "").partition("/")
        if record is None or record.audio or record.state != "done" or not there or endpoint not in self._endpoints:
            return None
        heard = await self._ask(replace(job, input={"op": "jobs.audio", "id": there}), endpoint)
        if isinstance(heard[-1], Failed) and heard[-1].error.code in ("not_found", "misconfigured"):
            raise silent(record)
        return heard

    async def _cancelled(self, id: str) -> Done:
        """A job that was sent to an endpoint past this server."""
        for endpoint in self._endpoints.values():
            try:
                await endpoint.cancel(id)
            except Failure as failure:
                if failure.code != "not_found":
                    raise
            else:
                return Done({"cancelled": id})
        raise Failure("not_found", "Neither this server nor an endpoint behind it knows a job of this id.", field="id")
