"""What `speak` and `convert` may both ask: of which model and take, in which format, delivered how.

Fields and the checks that hold for both; `settled_seed` is how a take gets its number. It knows neither texts nor
recordings.
"""

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from operations.complaint import invalid
from operations.fields import Format, Params, Shape, takes

SEEDS = 2**63
BITRATED = ("mp3", "opus", "aac")


class Wishes(Shape):
    model: str | None = takes("a model's id or alias", min_length=1, max_length=128)
    params: Params = takes("an object of the model's own knobs", {})
    take: int = takes("a whole number from 0", 0, ge=0, lt=SEEDS)
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] | Literal["random"] | None = takes(
        "a whole number from 0 to 2^63-1, or `random`"
    )
    format: Format = takes("one of wav, mp3, opus, flac, aac, pcm, mulaw, alaw", "wav")
    sample_rate: int | None = takes("a whole number from 8000 to 48000", ge=8000, le=48_000)
    bitrate: int | None = takes("kbit/s, a whole number from 16 to 320", ge=16, le=320)
    loudness: float | None = takes("LUFS from -40 to -5, or null", -16.0, ge=-40, le=-5)
    delivery: Literal["auto", "stream", "inline", "url", "volume"] = takes(
        "one of auto, stream, inline, url, volume", "auto"
    )
    keep: bool = takes("true or false", False)
    captions: Literal["none", "words", "srt", "vtt"] = takes("one of none, words, srt, vtt", "none")
    cache: bool = takes("true or false", True)
    """Does nothing where no store is set up."""
    key: str | None = takes("a string of 1 to 128 characters", min_length=1, max_length=128)
    stamp: Literal["metadata", "watermark", "both", "none"] = takes(
        "one of metadata, watermark, both, none", "metadata"
    )
    dry_run: bool = takes("true or false", False)
    s3: dict[str, Any] | None = Field(None, alias="s3Config", description="an object", repr=False)
    """The job's own bucket, unchecked here; never logged or stored."""

    def check_wishes(self) -> None:
        """What no field can tell alone."""
        if self.seed is not None and self.take:
            raise invalid("take", "`take` goes into the seed that is derived; with `seed` given, leave it out.")
        if self.bitrate is not None and self.format not in BITRATED:
            named = ", ".join(BITRATED)
            raise invalid("bitrate", f"`bitrate` is for {named}; `format` is {self.format}. Leave it out.")

    def settled_seed(self, digest: Callable[[], bytes]) -> int:
        """The seed asked for, a drawn one, or that of the request, which `digest` tells."""
        if self.seed == "random":
            return secrets.randbelow(SEEDS)
        if self.seed is not None:
            return self.seed
        return int.from_bytes(digest()[:8], "big") % SEEDS
