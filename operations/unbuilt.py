"""What a speak or convert input may ask for and this build cannot do yet: each is refused in plain words, none ignored.

A capability that gets built takes its line out of here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from basics.errors import Failure
from operations.fields import TextReference, VoiceDesign

if TYPE_CHECKING:
    from operations.convert_input import ConvertRequest
    from operations.request import SpeakRequest

UNBUILT: tuple[tuple[str, Callable[[Any], bool], str, str], ...] = (
    ("text", lambda asked: isinstance(asked.text, TextReference), "Text by reference", "Send the text itself."),
    ("captions", lambda asked: asked.captions != "none", "Captions", "Leave `captions` out."),
    ("verify", lambda asked: asked.verify is not False, "Listening to what was spoken", "Leave `verify` out."),
    ("lexicon", lambda asked: asked.lexicon is not None, "A lexicon", "Spell the word in the text as it is spoken."),
    ("key", lambda asked: asked.key is not None, "Idempotency by `key`", "Leave `key` out."),
    (
        "normalize",
        lambda asked: not asked.normalize,
        "Speaking without the engine's own reading of numbers and abbreviations",
        "Leave `normalize` out.",
    ),
)


def refuse_unbuilt(request: "SpeakRequest | ConvertRequest") -> None:
    """Each line asks of its own field, where the input has it."""
    for field, asked, what, hint in UNBUILT:
        if field in type(request).model_fields and asked(request):
            raise _unbuilt(field, what, hint)
    _refuse_voice("voice", request.voice)
    for number, turn in enumerate(getattr(request, "turns", None) or ()):
        _refuse_voice(f"turns[{number}].voice", turn.voice)


def _refuse_voice(field: str, voice: Any) -> None:
    if isinstance(voice, VoiceDesign):
        raise _unbuilt(field, "A voice by description", "Name one of the model's voices.")


def _unbuilt(field: str, what: str, hint: str) -> Failure:
    return Failure("not_supported", f"{what} (`{field}`) is not built yet.", field=field, hint=hint)
