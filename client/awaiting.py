"""The client that awaits. One connection pool; close it, or use it in an `async with`."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx

from .answers import Answer, Speech, answer_of
from .asking import HERE, PAGE, RUNPOD, TIMEOUT, base, body, headers, is_lines, left_behind, lost, not_fetched, reply_of
from .conversation import Call, Conversation, Line, Reply, Said, Wait, sent
from .errors import ServerError


class AsyncStream:
    """Sound as it is made: iterate over its bytes. Leaving it early ends the job."""

    def __init__(self, events: AsyncGenerator[dict[str, Any], None]) -> None:
        self._events = events
        self.started: dict[str, Any] = {}
        """Who speaks, at which rate, in which format; known with the first bytes."""
        self.answer: dict[str, Any] = {}
        """Known in the end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for event in self.events():
            if event["event"] == "audio":
                yield base64.b64decode(event["data"])

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Instead of bytes: every event, with the words and times of each piece of sound."""
        async for event in self._events:
            if event["event"] == "started":
                self.started = event
            elif event["event"] == "done":
                self.answer = answer_of(event).fields
            yield event

    async def close(self) -> None:
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self.close()


class AsyncClient:
    def __init__(self, address: str = HERE, key: str = "", *, seconds: float = 600.0, tries: int = 4) -> None:
        """`seconds`: for one answer, cold start included; `tries`: of what is refused for a moment."""
        self._seconds, self._tries = seconds, tries
        self._http = httpx.AsyncClient(base_url=base(address) + "/", headers=headers(key), timeout=TIMEOUT)

    @classmethod
    def endpoint(cls, id: str, key: str, **more: Any) -> Self:
        """Straight at a deployed RunPod endpoint."""
        return cls(f"{RUNPOD}/{id}", key, **more)

    async def say(self, text: str, *, s3: dict[str, Any] | None = None, **fields: Any) -> Speech:
        """The whole file. `fields` are those of `speak`: model, voice, language, speed, format ..."""
        answer = await self.ask("speak", s3=s3, text=text, **fields)
        return Speech(await self.fetch(answer), answer.fields)

    def stream(self, text: str, **fields: Any) -> AsyncStream:
        """As it is made."""
        return AsyncStream(self.events("speak", text=text, **{"format": "mp3", **fields, "delivery": "stream"}))

    async def voices(self, **wanted: Any) -> list[dict[str, Any]]:
        """All of the library, page after page."""
        found: list[dict[str, Any]] = []
        while True:
            page = (await self.ask("voices.list", page=len(found) // PAGE + 1, page_size=PAGE, **wanted)).fields
            found += page["voices"]
            if not page["voices"] or len(found) >= page["total"]:
                return found

    async def models(self, **wanted: Any) -> list[dict[str, Any]]:
        return list((await self.ask("models.list", **wanted)).fields["models"])

    async def jobs(self, **wanted: Any) -> list[dict[str, Any]]:
        """One page of the history."""
        return list((await self.ask("jobs.list", **wanted)).fields["jobs"])

    async def ask(self, op: str, *, s3: dict[str, Any] | None = None, **fields: Any) -> Answer:
        """Any operation. Raises a TTSError."""
        async with aclosing(self.events(op, s3=s3, **fields)) as events:
            async for event in events:
                if event["event"] == "done":
                    return answer_of(event)
        raise ServerError("The job ended without an answer.")

    async def events(
        self, op: str, *, s3: dict[str, Any] | None = None, **fields: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Of any operation, up to `done`. Closing it ends the job."""
        talk = Conversation(body(op, fields, s3), self._seconds, self._tries)
        steps = talk.steps()
        async with _Wire(self._http) as wire:
            try:
                step = next(steps, None)
                while step is not None:
                    if isinstance(step, Said):
                        yield step.event
                    step = sent(steps, await wire.does(step))
            finally:
                if talk.id:
                    await wire.does(Call("POST", f"cancel/{talk.id}", {}))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self.close()

    async def fetch(self, answer: Answer) -> bytes:
        """An answer's sound, wherever it is. The key stays here: the file's address is signed."""
        if answer.data is not None:
            return answer.data
        if answer.url is None:
            raise left_behind(answer)
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as http:
                return (await http.get(answer.url)).raise_for_status().content
        except httpx.HTTPError:
            raise not_fetched() from None


class _Wire:
    """One conversation's requests."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._lines: AsyncIterator[str] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.aclose()

    async def does(self, step: Any) -> Any:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Line):
            return await self._line()
        elif isinstance(step, Call):
            return await self._called(step)
        return None

    async def _line(self) -> str | None:
        try:
            return None if self._lines is None else await anext(self._lines, None)
        except httpx.TransportError:
            return None

    async def _called(self, call: Call) -> Reply:
        request = self._http.build_request(call.method, call.path, json=call.body)
        try:
            response = await self._http.send(request, stream=True)
            if is_lines(response):
                self._response, self._lines = response, response.aiter_lines()
                return Reply(response.status_code, lines=True)
            try:
                return reply_of(response, await response.aread())
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            return lost(error)
