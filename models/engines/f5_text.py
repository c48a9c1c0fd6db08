"""What F5-TTS reads and how long it takes to say: text to tokens of its vocabulary, text to seconds.

Letters stand for themselves, Chinese characters for their syllables, as the network was trained. Upstream guesses
how long a text plays by its bytes, so that Cyrillic after English is said at half the speed; here each kind of
character has a weight of its own. Knows no sound and no network.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

UNKNOWN = 0
"""The token of a space, which stands in for what the vocabulary lacks."""
_PLAIN = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
_NO_SPACE_AFTER = " :'\""
_ENDS = ".!?…。！？"
_CLOSING = "\"'”’)]»」』"

EDGE_SECONDS = 0.25
"""Of every utterance, however short: it sets in and dies away."""
SHORTEST_SECONDS = 0.6
TYPICAL_PACE = 0.066
"""Seconds that one unit of weight takes at an ordinary pace; a letter weighs one."""
PACES = (0.5 * TYPICAL_PACE, 2.0 * TYPICAL_PACE)
"""What is believed of a recording: beyond it the transcript is another's, or half of it is missing."""
_SCRIPTS = (
    ("CJK ", 3.3),  # a syllable each
    ("HANGUL", 2.6),
    ("HIRAGANA", 2.0),
    ("KATAKANA", 2.0),
    ("ARABIC", 1.35),  # most vowels are not written
    ("HEBREW", 1.35),
    ("DEVANAGARI", 1.2),
    ("THAI", 1.2),
)
_PAUSES = {",": 2.0, ";": 2.0, ":": 2.0, "，": 2.0, "、": 1.5, "；": 2.0, "：": 2.0, "—": 2.0, "…": 4.0}
_STOPS = {".": 3.0, "!": 3.0, "?": 3.0, "。": 3.0, "！": 3.0, "？": 3.0}
_SPACE, _DIGIT = 0.6, 4.0


def weight(text: str) -> float:
    """How much there is to say, in letters; the pause after the last sentence is not part of it."""
    return sum(_weight(char) for char in text.strip().rstrip("".join(_STOPS) + _CLOSING))


@lru_cache(maxsize=4096)
def _weight(char: str) -> float:
    if char.isspace():
        return _SPACE
    if char in _PAUSES or char in _STOPS:
        return _PAUSES.get(char) or _STOPS[char]
    kind = unicodedata.category(char)
    if kind == "Nd":
        return _DIGIT
    if kind[0] != "L":
        return 0.0  # marks belong to their letter; other signs are not heard
    name = unicodedata.name(char, "")
    return next((units for script, units in _SCRIPTS if name.startswith(script)), 1.0)


def pace(transcript: str, speech_seconds: float) -> float:
    """Seconds a unit of weight takes in a recording that plays so long without the silence at its ends."""
    units = weight(transcript)
    if not units:
        return TYPICAL_PACE
    return min(max((speech_seconds - EDGE_SECONDS) / units, PACES[0]), PACES[1])


def seconds(text: str, pace: float, speed: float = 1.0) -> float:
    """About how long `text` plays at that pace. Never so short that its first or last sound is lost."""
    return max(weight(text) * pace + EDGE_SECONDS, SHORTEST_SECONDS) / speed


def closed(text: str) -> str:
    """The text with a sentence's end: without one the network lets words run on, and cuts the last one."""
    text = text.strip()
    if text and text.rstrip(_CLOSING)[-1:] not in _ENDS:
        text += "。" if _weight(text[-1]) > 3 and not text[-1].isdecimal() else "."
    return text


def introduced(transcript: str) -> str:
    """A reference's transcript as the text before the one that is to be said: its last word is to stay its own."""
    transcript = closed(transcript)
    return transcript if transcript[-1:] in "。！？" else f"{transcript} "


def tokens(text: str) -> list[str]:
    """As upstream splits it: words of other scripts get a space before them where they have none."""
    import rjieba  # type: ignore[import-not-found,unused-ignore]

    found: list[str] = []
    for word in rjieba.cut(text.translate(_PLAIN)):
        if word.isascii():
            if found and len(word) > 1 and found[-1] not in _NO_SPACE_AFTER:
                found.append(" ")
            found.extend(word)
        elif len(word.encode()) == 3 * len(word):
            found.extend(_dense(word))
        else:
            found.extend(_mixed(word))
    return found


def _dense(word: str) -> Iterator[str]:
    spoken = _syllables(word)
    if len(spoken) != len(word):  # signs in a row come back as one
        spoken = [said for char in word for said in (_syllables(char) if _chinese(char) else [char])]
    for char, said in zip(word, spoken, strict=True):
        if _chinese(char):
            yield " "
        yield said


def _mixed(word: str) -> Iterator[str]:
    for char in word:
        if ord(char) >= 256 and _chinese(char):
            yield " "
            yield from "".join(_syllables(char))
        else:
            yield char


def _chinese(char: str) -> bool:
    return "\u3100" <= char <= "\u9fff"


def _syllables(word: str) -> list[str]:
    if not any(_chinese(char) or char == "\u3007" for char in word):
        return list(word)  # without pypinyin, whose tables take a second to load
    from pypinyin import Style, lazy_pinyin  # type: ignore[import-not-found,unused-ignore]

    return list(lazy_pinyin(word, style=Style.TONE3, tone_sandhi=True))


def ids(found: Sequence[str], vocabulary: Mapping[str, int]) -> list[int]:
    return [vocabulary.get(token, UNKNOWN) for token in found]


def sayable(text: str, vocabulary: Mapping[str, int]) -> bool:
    """Whether the vocabulary has any letter or digit of the text."""
    return any(token in vocabulary and any(map(str.isalnum, token)) for token in tokens(text))
