"""What `convert` is asked: a recording, a voice, and how the answer is to be given, as `speak` has it.

`ConvertRequest.parse` answers with a request or one `Failure`. What this build cannot do is refused.
"""

from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from operations.complaint import complaint
from operations.fields import VOICE, Recording, VoiceSource, takes
from operations.unbuilt import refuse_unbuilt
from operations.wishes import Wishes


class ConvertRequest(Wishes):
    op: Literal["convert"] = takes("`convert`", "convert")
    audio: Recording = Field(description="an address, a data URL or base64 of a recording", repr=False)
    voice: VoiceSource = Field(description=VOICE)

    @classmethod
    def parse(cls, input: dict[str, Any]) -> Self:
        given = {name: value for name, value in input.items() if value is not None or name == "loudness"}
        try:
            request = cls.model_validate(given)
        except ValidationError as error:
            raise complaint(error, cls, {}) from None
        request.check_wishes()
        refuse_unbuilt(request)
        return request
