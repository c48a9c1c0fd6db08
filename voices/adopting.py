"""A recording that somebody put among the voices becomes one of them: read, cleaned and judged like any other."""

import base64
import contextlib

from basics.errors import Failure
from store.objects import Objects
from voices.dropped import Dropped
from voices.fetching import Fetching
from voices.record import Record
from voices.reference import Limits, Reference, take_in
from voices.sources import Places

TEXT_BYTES = 64_000
TEXT_CHARS = 5_000


def adopted(file: Dropped, objects: Objects, most_bytes: int, limits: Limits) -> tuple[Record, Reference]:
    """Raises what a reference is refused for."""
    if file.audio is None:
        raise Failure("voice_unusable", f"`{file.id}` has no recording.", field="voice")
    data, _ = objects.get(file.audio.key, most_bytes)
    reference = take_in(base64.b64encode(data).decode(), Places(Fetching(most_bytes)), limits, field="voice")
    transcript = _text(file, objects)
    record = Record(
        id=file.id,
        name=file.id,
        transcript=transcript,
        transcript_state="given" if transcript else "none",
        origin=file.origin,
    )
    return record, reference


def _text(file: Dropped, objects: Objects) -> str:
    """What is said in it; a text that went or is no text is none."""
    if file.text is None:
        return ""
    with contextlib.suppress(Failure, UnicodeDecodeError):
        return objects.get(file.text.key, TEXT_BYTES)[0].decode("utf-8-sig").strip()[:TEXT_CHARS]
    return ""
