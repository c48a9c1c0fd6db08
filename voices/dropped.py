"""Files that somebody just put among the voices: which belong together, and whose voice they are.

Pure: names in, findings out. `<id>.wav` and its like are recordings, `<id>.txt` what is said in one, `<id>.pt`, `.pth`
and `.safetensors` Chatterbox's conditionals.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from store.objects import Entry
from voices.record import Origin, is_id

SOUNDS = ("wav", "flac", "mp3", "ogg", "m4a")
"""The first of these is taken where there are several of one id."""
CONDITIONALS = ("safetensors", "pt", "pth")
TEXT = "txt"


@dataclass(frozen=True, slots=True)
class Dropped:
    id: str
    audio: Entry | None = None
    text: Entry | None = None
    conditionals: Entry | None = None

    @property
    def origin(self) -> Origin | None:
        if self.audio is None:
            return None
        return Origin(
            audio=(self.audio.key, self.audio.etag), text=(self.text.key, self.text.etag) if self.text else None
        )

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in (self.audio, self.text, self.conditionals) if entry is not None]


def dropped(entries: Iterable[Entry]) -> dict[str, Dropped]:
    """By id. A text alone is no voice."""
    files: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        id, dot, kind = entry.key.rpartition(".")
        if dot and "/" not in entry.key and is_id(id) and kind.lower() in (*SOUNDS, TEXT, *CONDITIONALS):
            files.setdefault(id, {})[kind.lower()] = entry
    found = (
        Dropped(id, _first(kinds, SOUNDS), kinds.get(TEXT), _first(kinds, CONDITIONALS)) for id, kinds in files.items()
    )
    return {each.id: each for each in found if each.audio is not None or each.conditionals is not None}


def _first(kinds: dict[str, Entry], wanted: Iterable[str]) -> Entry | None:
    return next((kinds[kind] for kind in wanted if kind in kinds), None)
