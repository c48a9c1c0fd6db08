"""What the `voices.*` operations are asked, checked field by field. In an update, null clears what it names."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from operations.fields import LANGUAGE, Format
from operations.inputs import Input
from voices.record import ID

Id = Annotated[str, Field(pattern=f"^{ID.pattern}$", description="letters, digits, `.`, `_`, `-`; up to 64")]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Tags = Annotated[list[Tag], Field(max_length=50)]
Language = Annotated[str, Field(pattern=LANGUAGE)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Transcript = Annotated[str, Field(max_length=5_000)]
Description = Annotated[str, Field(max_length=2_000)]
Recording = Annotated[str, Field(min_length=1)]
Reference = Recording | Annotated[list[Recording], Field(min_length=1, max_length=5)]


class Consent(BaseModel):
    """Who said yes, kept with the voice as it was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str = Field(min_length=1, max_length=200, description="Whose voice it is, or who may speak for them.")
    at: str = Field("", pattern=r"^\d{4}-\d{2}-\d{2}([T ][0-9:.]{5,15}(Z|[+-]\d{2}:\d{2})?)?$|^$", description="When.")
    statement: str = Field("", max_length=2_000, description="What was agreed to.")
    evidence: str = Field("", max_length=2_000, description="Where that can be found.")

    def kept(self) -> dict[str, Any]:
        return {name: value for name, value in self.model_dump().items() if value}


class CreateInput(Input):
    id: Id | None = None
    name: Name | None = None
    reference: Reference | None = Field(None, repr=False)
    conditionals: Recording | None = Field(None, repr=False, description="Chatterbox's own file, by reference.")
    transcript: Transcript | None = None
    language: Language | None = None
    tags: Tags | None = None
    description: Description | None = None
    consent: Consent | None = None
    replace: bool = False
    s3: dict[str, Any] | None = Field(None, alias="s3Config", repr=False)


class UpdateInput(Input):
    id: Id
    name: Name | None = None
    reference: Reference | None = Field(None, repr=False)
    transcript: Transcript | None = None
    language: Language | None = None
    tags: Tags | None = None
    description: Description | None = None
    consent: Consent | None = None
    s3: dict[str, Any] | None = Field(None, alias="s3Config", repr=False)


class ListInput(Input):
    tags: Tags | Tag | None = None
    language: Language | None = None
    model: str | None = Field(None, min_length=1, max_length=128)
    search: str | None = Field(None, max_length=200)
    page: int = Field(1, ge=1)
    page_size: int = Field(50, ge=1, le=500)


class OneInput(Input):
    id: Id


class AudioInput(Input):
    id: Id
    format: Format = "wav"
    delivery: Literal["auto", "inline", "url", "volume"] = "auto"
    s3: dict[str, Any] | None = Field(None, alias="s3Config", repr=False)


class TryInput(Input):
    id: Id
    model: str | None = Field(None, min_length=1, max_length=128)
    text: str | None = Field(None, min_length=1, max_length=500)


def id_of(name: str) -> str:
    """The id that a name makes; empty where it holds no letter an id may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:64].lower()
