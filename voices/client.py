"""Whoever answers operations for a command: a house in this process, or a deployed endpoint. Here both are alike."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from basics.errors import Failure

PAGE = 500
Told = Callable[[str], object]
WRITING_SECONDS, LOOK_SECONDS = 180.0, 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    fields: dict[str, Any]
    data: bytes | None = field(default=None, repr=False)
    """The file that came with it."""


class Client(Protocol):
    whole: str
    """The delivery by which a whole file, however large, comes back as an answer's data."""

    def ask(self, op: str, **fields: Any) -> Answer:
        """Blocks until it is answered. Raises what the operation was refused for."""
        ...


def every(client: Client, **wanted: Any) -> Iterator[dict[str, Any]]:
    """All voices, page after page."""
    page = seen = 0
    while True:
        page += 1
        found = client.ask("voices.list", page=page, page_size=PAGE, **wanted).fields
        yield from found["voices"]
        seen += len(found["voices"])
        if not found["voices"] or seen >= found["total"]:
            return


def sound(client: Client, id: str) -> bytes:
    """A voice's whole recording as FLAC."""
    data = client.ask("voices.audio", id=id, format="flac", delivery=client.whole).data
    if data is None:
        raise Failure(
            "payload_too_large",
            f"The recording of `{id}` is too long to be sent, and the endpoint left it on its own volume.",
            hint="Set up a bucket on the endpoint, or run this command where the voices are.",
        )
    return data


def created(client: Client, about: dict[str, Any], words: dict[str, Any], told: Told) -> dict[str, Any]:
    """A new voice with all that is said of it; `words` are somebody's corrections, where nobody hears it anew."""
    voice = written(client, client.ask("voices.create", **about).fields["voice"], told)
    if words and voice["transcript_state"] in ("none", "given"):
        return dict(client.ask("voices.update", id=voice["id"], **words).fields["voice"])
    return voice


def written(client: Client, voice: dict[str, Any], told: Told) -> dict[str, Any]:
    """The voice when its words are written down, or as it is when the patience ends: they come later then."""
    if voice["transcript_state"] == "pending":
        told("Writing down what is said")
    ends = time.monotonic() + WRITING_SECONDS
    while voice["transcript_state"] == "pending" and time.monotonic() < ends:
        time.sleep(LOOK_SECONDS)
        voice = client.ask("voices.get", id=voice["id"]).fields["voice"]
    return voice


def health(client: Client, voice: dict[str, Any]) -> dict[str, Any]:
    """Whether a voice that was listed can be used, and what is said of it. Its recording is read to the end."""
    try:
        client.ask("voices.audio", id=voice["id"], format="flac", delivery=client.whole)
        told = client.ask("voices.get", id=voice["id"]).fields["voice"]
    except Failure as failure:
        if failure.code not in {"voice_unusable", "unknown_voice", "consent_required"} | RECORDING:
            raise
        return {"id": voice["id"], "usable": False, "complaints": [failure.message]}
    quality = told.get("quality") or {}
    return {
        "id": voice["id"],
        "usable": True,
        "score": quality.get("score"),
        "complaints": list(quality.get("warnings") or ()),
    }


RECORDING = {"reference_too_short", "reference_too_large", "reference_not_audio"}
"""What a file that somebody put there may be refused for."""
