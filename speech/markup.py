"""Markup in text: what is said, what is a pause, what is a tag. Positions count in the text as it was given.

`[pause:0.5]`, `[pause:500ms]` and the tags of models are markup; every other bracket is text. Markup that does
not parse is refused, never read aloud. It knows no passages and no lines.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from basics.errors import Failure

LONGEST_PAUSE_SECONDS = 10.0
"""Of one pause, and of the pauses that add up where nothing is said between them."""

_DIRECTIVE = re.compile(r"\[\s{0,8}(pause|voice)\s{0,8}(?:(:)([^\[\]\n]{0,100}))?(\]?)", re.IGNORECASE)
_PAUSE = re.compile(r"\s{0,8}([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})\s{0,8}(ms|s)?\s{0,8}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Words:
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float
    position: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tag that only other models read."""

    tag: str
    position: int


Token = Words | Pause | Dropped


def bad_markup(message: str, field: str, position: int, hint: str | None = None) -> Failure:
    return Failure(
        "bad_markup", f"{message} (position {position} of `{field}`)", field=field, position=position, hint=hint
    )


def tokens(text: str, field: str, tags: Collection[str], known_tags: Collection[str]) -> Iterator[Token]:
    """The text in order. `tags` are those the model reads; of `known_tags`, the others are dropped."""
    find, read = _finder(frozenset(tags), frozenset(known_tags))
    begun = at = 0
    while found := find(text, at):
        at = found.end()
        token: Token | None = None
        if found[0].casefold() in read:
            continue
        if found.lastgroup == "tag":
            token = Dropped(found[0], found.start())
        elif directive := _DIRECTIVE.match(text, found.start()):
            token, at = _directive(directive, field), directive.end()
        if token is not None:
            if found.start() > begun:
                yield Words(text[begun : found.start()], begun)
            yield token
            begun = at
    if begun < len(text):
        yield Words(text[begun:], begun)


def _directive(found: re.Match[str], field: str) -> Token | None:
    """A pause, a refusal, or nothing where `[voice]` without a colon is plain text."""
    name, colon, value, closed = found.groups()
    position = found.start()
    if name.lower() == "voice":
        if not colon:
            return None
        if not closed:
            raise bad_markup("A bracket is not closed", field, position, "Send `turns`, each with its own `voice`.")
        raise Failure(
            "not_supported",
            f"Changing the voice inside a text is not built yet (position {position} of `{field}`).",
            field=field,
            hint="Send `turns`, each with its own `voice`.",
            position=position,
        )
    if not colon and not closed:
        return None
    return Pause(_seconds(value if closed else None, field, position), position)


def _seconds(value: str | None, field: str, position: int) -> float:
    found = _PAUSE.fullmatch(value) if value else None
    if found is None:
        hint = "Write `[pause:0.5]` or `[pause:500ms]`."
        raise bad_markup("A pause is not written as one", field, position, hint)
    seconds = float(found[1]) / (1000 if (found[2] or "").lower() == "ms" else 1)
    if seconds > LONGEST_PAUSE_SECONDS:
        raise bad_markup(f"A pause is at most {LONGEST_PAUSE_SECONDS:g} seconds", field, position)
    return seconds


Find = Callable[[str, int], re.Match[str] | None]


@lru_cache(maxsize=64)
def _finder(tags: frozenset[str], known: frozenset[str]) -> tuple[Find, frozenset[str]]:
    """One search for every tag and the beginnings of directives, and the tags that go through."""
    every = sorted(tags | known, key=len, reverse=True)
    named = rf"(?P<tag>{'|'.join(map(re.escape, every))})|" if every else ""
    directive = r"(?P<directive>\[\s{0,8}(?:pause|voice))"
    return re.compile(named + directive, re.IGNORECASE).search, frozenset(tag.casefold() for tag in tags)
