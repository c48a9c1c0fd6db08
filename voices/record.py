"""A voice as the library writes it down: `voice.json`. It may be edited by hand, so what is read is checked.

The recording it names lies beside it under a name of its own, so that whoever holds an old record never reads
half of a new voice.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from basics.errors import Failure

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FILE = "voice.json"
RECORD_BYTES = 1 << 20
"""A larger `voice.json` is not one of ours."""

TranscriptState = Literal["given", "pending", "done", "edited", "none"]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""Null in a file somebody wrote is the same as nothing."""
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Origin(BaseModel):
    """The files that somebody put there and this record was made from: names and etags."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    audio: tuple[str, str]
    text: tuple[str, str] | None = None


class Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    name: Text = ""
    description: Text = ""
    tags: tuple[str, ...] = ()
    language: Text = ""
    transcript: Text = ""
    transcript_state: TranscriptState = "none"
    of_chosen: bool = False
    """Whether the transcript is that of the seconds that engines hear, as a recogniser's is."""
    duration: float = 0.0
    """Seconds of the kept recording."""
    sample_rate: int = 0
    sha256: Text = ""
    """Of the recording's samples."""
    created: Text = ""
    updated: Text = ""
    consent: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None
    weights: Text = ""
    audio: Text = ""
    """The recording's file, in the voice's folder."""
    chosen: tuple[Seconds, Seconds] | None = None
    """The seconds of it that engines hear, or cut their own from; None: all."""
    spans: tuple[tuple[Seconds, Seconds], ...] = ()
    """Where in those somebody speaks, in seconds of the recording: engines with narrower limits cut between them."""
    words: tuple[tuple[str, Seconds, Seconds], ...] = ()
    """The transcript's words in those and when each is said, in seconds of the recording, where that is known."""
    origin: Origin | None = None
    conditionals: Text = ""
    """A file with Chatterbox's own conditioning and no recording; its etag stands in `origin`."""

    @classmethod
    def read(cls, id: str, data: bytes) -> Self:
        """Raises `voice_unusable`. The folder's name is the id, whatever the file says."""
        try:
            given = json.loads(data)
            return cls.model_validate({**given, "id": id})
        except (ValueError, TypeError, RecursionError, ValidationError):
            raise Failure("voice_unusable", f"The voice `{id}` has a voice.json that cannot be read.") from None

    def written(self) -> bytes:
        kept = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(kept, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")

    @property
    def digest(self) -> str:
        """What conditioning is keyed by: all that an engine hears of the voice. One that reads adds what it reads."""
        file = self.origin.audio if self.origin is not None and self.conditionals else None
        matters = json.dumps([self.sha256, self.chosen, self.language, file])
        return f"library:{hashlib.sha256(matters.encode()).hexdigest()}"

    @property
    def reading(self) -> str:
        """What a voice ready to speak with is keyed by: its words may change while its sound stays."""
        matters = json.dumps([self.digest, self.transcript, self.of_chosen, self.words])
        return hashlib.sha256(matters.encode()).hexdigest()

    @property
    def spoken(self) -> str:
        """The transcript, where it is that of the chosen seconds."""
        if self.is_whole or self.of_chosen:
            return self.transcript
        return " ".join(text for text, _, _ in self.words)

    @property
    def is_whole(self) -> bool:
        return self.chosen is None or self.chosen[1] - self.chosen[0] >= self.duration - 0.01

    @property
    def heard_seconds(self) -> float:
        return self.chosen[1] - self.chosen[0] if self.chosen is not None else self.duration

    def told(self) -> dict[str, Any]:
        """As callers see it."""
        parts = self.model_dump(mode="json", exclude=INNER)
        optional = ("consent", "weights", "quality")
        shown = {name: value for name, value in parts.items() if value or name not in optional}
        shown["origin"] = "conditionals" if self.conditionals else "file" if self.origin else "created"
        return shown


INNER = {"audio", "chosen", "spans", "words", "of_chosen", "origin", "conditionals"}
"""What concerns nobody but the library."""


def is_id(id: str) -> bool:
    return ID.fullmatch(id) is not None


def record_key(id: str) -> str:
    return f"{id}/{FILE}"


def audio_key(record: Record) -> str:
    return f"{record.id}/{record.audio}"


def derived_prefix(id: str) -> str:
    return f"{id}/derived/"
