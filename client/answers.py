"""What comes back: an operation's answer, with its sound as bytes."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    fields: dict[str, Any]
    """As the documentation has it, without the sound."""
    data: bytes | None = field(default=None, repr=False)
    """The sound that came with it."""

    @property
    def url(self) -> str | None:
        """Where the sound is, if it did not come."""
        return (self.fields.get("audio") or {}).get("url")


@dataclass(frozen=True, slots=True)
class Speech:
    data: bytes = field(repr=False)
    """The whole file."""
    answer: dict[str, Any]
    """Who spoke, how long it plays, what it took."""

    @property
    def format(self) -> str:
        return str(self.answer["audio"]["format"])

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.answer["audio"]["duration"])

    @property
    def warnings(self) -> list[str]:
        return list(self.answer.get("warnings") or [])

    def save(self, path: str | Path) -> Path:
        Path(path).write_bytes(self.data)
        return Path(path)


def answer_of(done: dict[str, Any]) -> Answer:
    fields = {name: value for name, value in done.items() if name != "event"}
    audio = fields.get("audio")
    if not isinstance(audio, dict) or "data" not in audio:
        return Answer(fields)
    rest = {name: value for name, value in audio.items() if name != "data"}
    return Answer({**fields, "audio": rest}, base64.b64decode(audio["data"]))
