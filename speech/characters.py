"""Which characters of a text are said: what is refused, what is dropped, and the form all later rooms work on.

`spoken` is that form: composed (NFC), without invisible characters, every white space one space. It knows
nothing of markup, sentences or languages.
"""

import re
import unicodedata

from basics.errors import Failure

LONGEST_RUN = 64
"""Characters in a row without a letter or digit: rulers, dots and heaped-up marks past it are not said. It also
keeps NFC linear: composing 100,000 marks on one letter took 9 s."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]+"
)
_SILENT_RUN = re.compile(rf"([\W_]{{{LONGEST_RUN}}})[\W_]+")
_SPACE = re.compile(r"\s+")


def check(text: str, field: str) -> None:
    """Refuses what no text has: half characters and control characters, each with its position."""
    if _SURROGATE.search(text):
        raise half_character(text, field)
    if found := _CONTROL.search(text):
        name = f"the control character U+{ord(found[0]):04X}"
        raise _unusable(field, found.start(), name, "Leave it out; tabs and line ends are welcome.")
    if not speakable(text):
        raise nothing_to_say(field)


def half_character(text: str, field: str) -> Failure:
    found = _SURROGATE.search(text)
    position = found.start() if found else 0
    return _unusable(field, position, "half of a character (a lone surrogate)", "Send the text as valid UTF-8.")


def nothing_to_say(field: str) -> Failure:
    return Failure(
        "invalid_input",
        f"`{field}` has nothing that can be spoken: it needs at least one letter or digit.",
        field=field,
    )


def speakable(text: str) -> bool:
    """Whether it has a letter or digit of any script."""
    return any(map(str.isalnum, text))


def spoken(text: str) -> str:
    """The text as lines are cut from it. Doing it twice changes nothing."""
    if text.isascii():
        return _shortened(text)
    text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text))
    return _shortened(unicodedata.normalize("NFC", _shortened(text)))


def dense(char: str) -> bool:
    """Whether one character says about as much as three letters do, as cards count."""
    return "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"


def _shortened(text: str) -> str:
    return _SPACE.sub(" ", _SILENT_RUN.sub(r"\1 ", _SPACE.sub(" ", text))).strip()


def _unusable(field: str, position: int, what: str, hint: str) -> Failure:
    message = f"`{field}` holds {what} at position {position}."
    return Failure("invalid_input", message, field=field, hint=hint, position=position)
