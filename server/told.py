"""What a worker of ours says over RunPod's queue, read back into our events: `operations.queue` the other way."""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Progress, Started

PLAIN: dict[str, type[Started] | type[Progress]] = {"started": Started, "progress": Progress}


def event_of(said: Any) -> Event | None:
    """None for what a newer worker may say. Raises `internal` for what is broken."""
    if not isinstance(said, Mapping):
        return None
    kind = said.get("event")
    try:
        if kind == "audio":
            return _audio(said)
        if kind == "done":
            return done_of(said)
        if kind == "error":
            return Failed(failure_of(dict(said)))
        if kind in PLAIN:
            return PLAIN[kind](**{name.name: said[name.name] for name in dataclasses.fields(PLAIN[kind])})
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Failure("internal", f"The endpoint said a `{kind}` that cannot be read.") from None
    return None


def done_of(said: Mapping[str, Any]) -> Done:
    answer = {name: value for name, value in said.items() if name != "event"}
    audio = answer.get("audio")
    if not isinstance(audio, Mapping) or not isinstance(audio.get("data"), str):
        return Done(answer)
    data = base64.b64decode(audio["data"], validate=True)
    return Done({**answer, "audio": {name: value for name, value in audio.items() if name != "data"}}, data)


def failure_of(told: Any) -> Failure:
    return Failure.told(told) or Failure(
        "internal", "The job failed on the endpoint, which does not say why in our words."
    )


def _audio(said: Mapping[str, Any]) -> Audio:
    data = base64.b64decode(said["data"], validate=True)
    words = tuple(said.get("words") or ())
    return Audio(int(said["seq"]), data, float(said["start"]), float(said["duration"]), said.get("text", ""), words)
