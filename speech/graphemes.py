"""Where a text may be cut without breaking what a reader sees as one character.

The part of Unicode's grapheme rules that matters to speech: marks, joined emoji, flags, jamo, conjuncts. And
the scripts written without spaces, where a cut between characters is a cut between words at worst.
"""

import unicodedata

_JOINER, _KEYCAP = "\u200d", "\u20e3"
_OPENERS = frozenset("เแโใไເແໂໃໄ")
"""Thai and Lao vowels written before the consonant that they follow in speech."""
_FOLLOWERS = frozenset("ะาำๅๆฯະາຳໆ々ー〜ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヶ")
"""What never begins a line: vowels after their consonant, repeats, lengthening, small kana."""


def breakable(text: str, at: int) -> bool:
    """Whether `at` lies between two characters as a reader sees them."""
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return True
    return not (_clings(after) or _holds(before, after) or _splits_flag(text, at))


def spaceless(text: str, at: int) -> bool:
    """Whether both neighbours of `at` are of scripts written without spaces and may be parted."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return (
        unspaced(before)
        and unspaced(after)
        and before not in _OPENERS
        and after not in _FOLLOWERS
        and breakable(text, at)
    )


def unspaced(char: str) -> bool:
    """A letter or mark of Thai, Lao, Burmese, Khmer, or of Chinese and Japanese writing."""
    return (
        "\u0e01" <= char <= "\u0eff"
        or "\u1000" <= char <= "\u109f"
        or "\u1780" <= char <= "\u17ff"
        or "\u3005" <= char <= "\u3007"
        or "\u3041" <= char <= "\u9fff"
        or "\uf900" <= char <= "\ufaff"
        or "\U00020000" <= char <= "\U0003ffff"
    )


def _clings(after: str) -> bool:
    return (
        unicodedata.category(after)[0] == "M"
        or after in (_JOINER, "\u200c", _KEYCAP)
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U000e0020" <= after <= "\U000e007f"
        or "\u1160" <= after <= "\u11ff"
    )


def _holds(before: str, after: str) -> bool:
    """A joiner or a virama binds what comes next; so does the first half of a surrogate pair."""
    if before == _JOINER or (unicodedata.combining(before) == 9 and unicodedata.category(after)[0] == "L"):
        return True
    return "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"


def _splits_flag(text: str, at: int) -> bool:
    if not (_regional(text[at - 1]) and _regional(text[at])):
        return False
    start = at
    while start > 0 and _regional(text[start - 1]):
        start -= 1
    return (at - start) % 2 == 1


def _regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
