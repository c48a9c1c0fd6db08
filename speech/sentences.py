"""Where sentences end, in any script. sentencex decides; here it is fed so that it stays quick and whole.

sentencex 1.0.32 takes time by the square in Chinese and Japanese (400,000 characters: 34 s), loses text every
10 KiB, knows abbreviations by primary language only (`en`, not `en-us`) and panics on white space of several
bytes. So it is fed windows of canonical text, and only its offsets are used, those that make sense.
"""

import sentencex  # type: ignore[import-untyped]

from speech.graphemes import breakable

WINDOW_CHARS = 2000


def boundaries(text: str, language: str) -> list[int]:
    """Offsets at which a sentence of canonical text ends and another begins, rising."""
    code = language.replace("_", "-").partition("-")[0].lower() or "en"
    found: list[int] = []
    start = 0
    while start < len(text):
        window = text[start : start + WINDOW_CHARS]
        ends = [start + end for end in _ends(window, code)]
        complete = start + len(window) == len(text)
        # The last sentence of a window may go on behind it, so the next window begins with that sentence.
        begun = len(text) if complete else _resume(text, start, ends)
        found.extend(end for end in ends if end <= begun and end < len(text) and _sensible(text, end))
        start = begun
    return found


def _resume(text: str, start: int, ends: list[int]) -> int:
    """Where the next window starts: at the last sentence seen to begin, else at a space."""
    if begun := [end for end in ends if start < end < start + WINDOW_CHARS]:
        return begun[-1]
    space = text.rfind(" ", start + WINDOW_CHARS // 2, start + WINDOW_CHARS)
    return space + 1 if space > 0 else start + WINDOW_CHARS


def _ends(window: str, code: str) -> list[int]:
    whole = window.encode("utf-8", "replace").decode("utf-8")
    return [int(found["end_index"]) for found in sentencex.get_sentence_boundaries(code, whole)]


def _sensible(text: str, end: int) -> bool:
    """Not inside `Hello.World`, `3.5` or a character: at a space, or behind a full stop that needs none."""
    before, after = text[end - 1], text[end]
    if before == " " or after == " ":
        return True
    return not before.isascii() and not before.isalnum() and breakable(text, end)
