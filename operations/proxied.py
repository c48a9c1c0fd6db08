"""What RunPod's OpenAI proxy sends through the queue: a route and a body of theirs, answered in their shapes.

One plain object, or SSE text for a stream; never wrapped in events. The proxy passes text and JSON only, so speech
that is no stream is `speak`'s answer. Sizes are the queue's limits.
"""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed
from operations import openai
from operations.job import Job
from operations.queue import Post, Talk, done

Answer = Callable[[Job], AsyncGenerator[Event, None]]

DELTA_BYTES = 360_000
"""Of sound in one string: 480,000 characters as base64."""
ROUTES = "`/v1/audio/speech`, `/v1/models`, `/v1/models/{id}`, `/v1/audio/voices`"


def talk(job: Job, answer: Answer) -> Talk:
    """What any job of the queue says, whichever way it asks."""
    if not isinstance(job.input, dict) or "openai_route" not in job.input:
        return Talk(answer(job))
    body = job.input.get("openai_input")
    streams = isinstance(body, dict) and body.get("stream_format") == "sse"
    return Talk(_road(job, answer), Proxied(streams))


@dataclass(slots=True)
class Proxied:
    """Their manner of speaking on the queue."""

    streams: bool
    _begun: bool = False

    def says(self, event: Event) -> Iterator[Post]:
        if isinstance(event, Audio):
            self._begun = True
            for place in range(0, len(event.data), DELTA_BYTES):
                yield Post(openai.delta(event.data[place : place + DELTA_BYTES]), sounds=True)
        elif isinstance(event, Done):
            yield Post(openai.ended(event.answer), last=True) if self.streams else _unwrapped(done(event))

    def fails(self, failure: Failure) -> Iterator[Post]:
        if self._begun:
            yield Post(openai.broken(failure), sounds=True)
        yield Post({"error": json.dumps(openai.error_body(failure), ensure_ascii=False)}, last=True)


def _unwrapped(post: Post) -> Post:
    for shown in (post.payload, post.whole):
        if isinstance(shown, dict):
            shown.pop("event", None)
    return post


async def _road(job: Job, answer: Answer) -> AsyncGenerator[Event, None]:
    address = urlsplit(str(job.input["openai_route"]))
    route = "/" + address.path.strip("/").removeprefix("openai/").removeprefix("v1/")
    body = job.input.get("openai_input")
    if route == "/audio/speech":
        async with aclosing(answer(replace(job, input=_speech(body)))) as events:
            async for event in events:
                yield event
        return

    async def ask(input: Mapping[str, Any]) -> dict[str, Any]:
        return await _asked(replace(job, input=dict(input)), answer)

    if route in ("/models", "/audio/models"):
        yield Done(await openai.models(ask))
    elif route.startswith("/models/"):
        yield Done(await openai.model(ask, unquote(route.removeprefix("/models/"))))
    elif route == "/audio/voices":
        yield Done(await openai.voices(ask, next(iter(parse_qs(address.query).get("model", [])), None)))
    else:
        raise Failure("not_found", f"`openai_route` is one of {ROUTES}.", field="openai_route")


def _speech(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Failure("invalid_input", "`openai_input` must be a JSON object.", field="openai_input")
    asked = openai.SpeechRequest.model_validate({name: value for name, value in body.items() if value is not None})
    return asked.as_input() | {"delivery": "stream" if asked.stream_format == "sse" else "auto"}


async def _asked(job: Job, answer: Answer) -> dict[str, Any]:
    async with aclosing(answer(job)) as events:
        async for event in events:
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Done):
                return event.answer
    raise Failure("internal", "The operation ended without an answer.")
