"""What `convert` is asked: a recording, a voice, and how the answer is to be given, as `speak` has it.

`ConvertRequest.parse` answers with a request or one `Failure`. What this build cannot do is refused.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from operations.complaint import complaint, invalid
from operations.fields import VOICE, Format, Params, Recording, Shape, VoiceSource, takes
from operations.request import BITRATED, SEEDS
from operations.unbuilt import refuse_unbuilt


class ConvertRequest(Shape):
    op: Literal["convert"] = takes("`convert`", "convert")
    audio: Recording = Field(description="an address, a data URL or base64 of a recording", repr=False)
    voice: VoiceSource = Field(description=VOICE)
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

    @classmethod
    def parse(cls, input: dict[str, Any]) -> Self:
        given = {name: value for name, value in input.items() if value is not None or name == "loudness"}
        try:
            request = cls.model_validate(given)
        except ValidationError as error:
            raise complaint(error, cls, {}) from None
        if request.seed is not None and request.take:
            raise invalid("take", "`take` goes into the seed that is derived; with `seed` given, leave it out.")
        if request.bitrate is not None and request.format not in BITRATED:
            named = ", ".join(BITRATED)
            raise invalid("bitrate", f"`bitrate` is for {named}; `format` is {request.format}. Leave it out.")
        refuse_unbuilt(request)
        return request
