"""Where a speaker may take breath inside a clause: before the words that begin a phrase.

A short table for the languages of the engines that deliver a line whole, in scripts with spaces. It knows no lengths:
whether such a place is used, and how many words must stand around it, is `lines.py`'s.
"""

import re
from collections.abc import Iterator
from functools import cache

BEGINNERS = {
    "en": "and but or because when while until unless although though whereas whether if where who before after since",
    "es": "y e o u pero porque cuando aunque mientras donde quien sino",
    "fr": "et ou mais car parce lorsque quand puisque pendant tandis qui où dont",
    "it": "e ed o oppure ma perché quando mentre dove finché benché affinché",
    "pt": "e ou mas porque quando enquanto embora onde quem",
    "de": "und oder sowie sondern weil dass wenn ob bevor nachdem obwohl während",
}
"""Words that are rarely anything else: `that`, `que`, `as`, `so`, `si` and `denn` are too often."""
HOLDERS = {
    "en": "in of to for by at on with from about than as not between both either even ever only just the a an",
    "es": "a de en con por para desde sobre hasta entre no ni sin el la un una",
    "fr": "à de en avec par pour sur dans chez depuis sans entre ne le la un une jusque",
    "it": "a di da in con su per tra fra non il la un una",
    "pt": "a de em com por para sobre entre não o um uma",
    "de": "in mit von zu für auf an bei nicht als zwischen der die das ein eine",
}
"""After these nothing begins: `the house in | which`."""


def phrase_starts(text: str, language: str) -> Iterator[int]:
    """Offsets, rising, each behind a space. None in a language that is not in the table."""
    code = language.lower().partition("-")[0]
    if code not in BEGINNERS:
        return
    begins, holds = _table(code)
    for found in begins.finditer(text):
        space = found.start() - 1
        before = text[text.rfind(" ", 0, space) + 1 : space]
        if before.lower().strip("\"'«“‘(") not in holds:
            yield found.start()


@cache
def _table(code: str) -> tuple[re.Pattern[str], frozenset[str]]:
    begins = BEGINNERS[code].split()
    pattern = re.compile(rf"(?<= )(?:{'|'.join(begins)})(?= )")
    return pattern, frozenset([*begins, *HOLDERS[code].split()])
