"""A job as RunPod's queue sees it: events become plain JSON objects, each under the platform's limits.

RunPod posts every object to the job's stream and loses what is over 1 MB there; it drops a final answer over
10 MB without a word. So no object here is over 500 kB when it is posted, what would lift the answer over that
is filled in once its post is over (`Post.complete`), and the whole answer stays under 9 MB.
Knows the contract's shapes and the platform's limits, and nothing of the SDK.
"""

import base64
import json
import logging
import math
import numbers
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from basics.errors import Failure, printable
from basics.events import Audio, Done, Event, Failed, Progress, Started
from basics.limits import ANSWER_BYTES, YIELD_BYTES
from operations.job import Job

log = logging.getLogger("worker.queue")

GRAIN_BYTES = 12
"""Parts of split sound are multiples of this: whole samples in any sample format, whole groups of base64."""
SPARE_BYTES = 200
"""Room in a post for numbers longer than those it was measured with."""


@dataclass(slots=True)
class Post:
    """One object for the stream, and what it becomes once it has been posted."""

    payload: Any
    """An object, or a piece of text where the asker reads SSE."""
    last: bool = False
    """Whether it is the answer, or the error in its place."""
    whole: dict[str, Any] | None = None
    sounds: bool = False
    """Whether it is a part of what is heard."""

    def complete(self) -> Any:
        """In place: the list of the final answer holds the very object that was posted."""
        if self.whole is not None:
            self.payload.clear()
            self.payload.update(self.whole)
        return self.payload

    @property
    def failed(self) -> bool:
        return self.last and isinstance(self.payload, dict) and "error" in self.payload


class Manner(Protocol):
    """How what happens on a road is said."""

    def says(self, event: Event) -> Iterator[Post]:
        """Of anything but Failed. The answer's post is the last."""
        ...

    def fails(self, failure: Failure) -> Iterator[Post]: ...


@dataclass(slots=True)
class Contract:
    """Our own manner: objects with an `event`."""

    _seq: int = 0

    def says(self, event: Event) -> Iterator[Post]:
        if isinstance(event, Done):
            yield done(event)
        elif isinstance(event, Audio):
            for part in parts(event, self._seq):
                self._seq += 1
                yield Post(part, sounds=True)
        elif not isinstance(event, Failed):
            yield Post(told(event))

    def fails(self, failure: Failure) -> Iterator[Post]:
        error = failure.as_dict()
        yield Post({"event": "error", **error})
        yield Post({"error": json.dumps(error, ensure_ascii=False)}, last=True)


@dataclass(slots=True)
class Talk:
    """What one job says to the queue, and what its line in the log says about it."""

    road: AsyncGenerator[Event, None]
    manner: Manner = field(default_factory=Contract)
    outcome: str = "cancelled"
    facts: dict[str, Any] = field(default_factory=dict)

    async def posts(self) -> AsyncGenerator[Post, None]:
        """Ends with exactly one last post, whatever happens on the road."""
        try:
            async for event in self.road:
                for post in self._posts(event):
                    yield post
            failure = None if self.outcome != "cancelled" else _broken("the road ended without an answer")
        except Failure as error:
            failure = error
        except Exception:
            # The SDK would send the traceback to the caller.
            log.exception("door_broke")
            failure = _broken("see the line before")
        if failure is None:
            return
        if self.outcome != "cancelled":
            log.warning("failed_after_the_answer", extra={"code": failure.code})
            return
        for post in self._failed(failure):
            yield post

    async def close(self) -> None:
        await self.road.aclose()

    def _posts(self, event: Event) -> Iterator[Post]:
        if self.outcome != "cancelled":
            log.warning("said_after_the_answer", extra={"said": type(event).__name__})
            return
        if isinstance(event, Failed):
            yield from self._failed(event.error)
            return
        for post in self.manner.says(event):
            if post.last and isinstance(event, Done):
                self.outcome = "done"
                self.facts = _facts(event.answer)
            yield post

    def _failed(self, failure: Failure) -> Iterator[Post]:
        self.outcome = failure.code
        yield from self.manner.fails(failure)


def job_of(raw: Mapping[str, Any]) -> Job:
    """The platform's job as ours. `s3Config` stands beside `input`; inside it, it is taken out."""
    given = raw.get("input")
    s3 = raw.get("s3Config")
    if isinstance(given, dict) and "s3Config" in given:
        s3 = s3 or given["s3Config"]
        given = {name: value for name, value in given.items() if name != "s3Config"}
    return Job(str(raw["id"]), given, s3)


async def collected(posts: AsyncIterator[Post]) -> list[Any] | dict[str, Any]:
    """For doors without a stream: the sound of a stream, if there is any, then the answer; or the error."""
    kept: list[Any] = []
    room = ANSWER_BYTES
    async for post in posts:
        if post.failed:
            return {"error": post.payload["error"]}
        if post.last or post.sounds:
            kept.append(post.complete())
            room -= size(kept[-1])
        if room < 0:
            return {"error": json.dumps(_too_large().as_dict(), ensure_ascii=False)}
    return kept


def told(event: Started | Progress) -> dict[str, Any]:
    return {"event": type(event).__name__.lower(), **_plain_dict(asdict(event))}


def done(event: Done) -> Post:
    """The answer: what fits is shown in the stream, the inlined file and all else come with `complete`."""
    answer = {"event": "done", **_plain_dict(event.answer)} | {"event": "done"}
    if "error" in answer:
        raise _broken("the SDK takes a field `error` of an answer for a failure")
    room = ANSWER_BYTES - size(answer)
    whole = answer
    if event.data is not None:
        data = _base64(event.data)
        room -= len(data)
        whole = {**answer, "audio": {**answer.get("audio", {}), "data": data}}
    if room < 0:
        raise _too_large()
    return Post(_lightened(answer), last=True, whole=whole)


def parts(event: Audio, seq: int) -> Iterator[dict[str, Any]]:
    """One event of sound, cut where it would be too large. Each part has its share of the time and its own words."""
    words = [_plain_dict(word) for word in event.words]
    frame = {"event": "audio", "seq": seq, "data": "", "start": 1 / 3, "duration": 1 / 3}
    room = YIELD_BYTES - SPARE_BYTES - size({**frame, "text": printable(event.text), "words": words})
    if room < SPARE_BYTES:
        raise _broken("a chunk's text and words leave no room for its sound")
    step = room * 3 // 4 // GRAIN_BYTES * GRAIN_BYTES
    places = list(range(0, max(1, len(event.data)), step))
    starts = [_time(event, place) for place in places] + [event.start + event.duration]
    for part, place in enumerate(places):
        sound = {**frame, "seq": seq + part, "data": event.data[place : place + step]}
        sound |= {"start": starts[part], "duration": starts[part + 1] - starts[part]}
        sound["text"] = "" if part else event.text
        if here := [word for word in words if _part_of(word, starts) == part]:
            sound["words"] = here
        yield _plain_dict(sound)


def size(payload: Any) -> int:
    """Bytes of the JSON that the platform receives for one object."""
    return len(json.dumps({"output": payload}, ensure_ascii=False, allow_nan=False).encode())


def plain(value: Any) -> Any:
    """A copy that any JSON encoder takes: bytes as base64, no NaN, no lone surrogates, no numpy."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bytes):
        return _base64(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _plain_dict(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in an answer")


def _plain_dict(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {printable(str(name)): plain(item) for name, item in value.items()}


def _lightened(answer: dict[str, Any]) -> dict[str, Any]:
    """A copy without the largest of its fields, until it fits one post."""
    shown = dict(answer)
    if size(shown) <= YIELD_BYTES:
        return shown
    for name in sorted(answer.keys() - {"event"}, key=lambda name: size(answer[name]), reverse=True):
        del shown[name]
        if size(shown) <= YIELD_BYTES:
            break
    return shown


def _time(event: Audio, place: int) -> float:
    """When the byte at `place` plays, taking the sound as spread evenly over its bytes."""
    return event.start + event.duration * place / max(1, len(event.data))


def _part_of(word: dict[str, Any], starts: list[float]) -> int:
    """The part in which the word begins: the first for what is before all, the last for what is after."""
    return min(max(0, bisect_right(starts, word.get("start") or 0.0) - 1), len(starts) - 2)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _facts(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and names for the log: never what was said, nor where it was put."""
    audio, timings, usage = (answer.get(name) or {} for name in ("audio", "timings", "usage"))
    facts = {"model": answer.get("model"), "rtf": answer.get("rtf")}
    facts |= {"format": audio.get("format"), "audio_seconds": audio.get("duration"), "bytes": audio.get("bytes")}
    facts |= {"first_audio": timings.get("first_audio"), "characters": usage.get("characters")}
    return {name: value for name, value in facts.items() if value is not None}


def _too_large() -> Failure:
    return Failure(
        "payload_too_large",
        f"The answer is over {ANSWER_BYTES // 1_000_000} MB, the most that RunPod lets a worker answer with.",
        hint="Ask for `delivery: url` with a bucket, for a smaller `format` such as mp3, or for less at once.",
    )


def _broken(why: str) -> Failure:
    log.error("broken", extra={"why": why})
    return Failure("internal", "Something broke inside the worker; its log has the details.")
