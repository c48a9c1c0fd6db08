"""A card: what a model is and can do, as plain data. Listing models reads cards and loads nothing."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Preset:
    """A voice that comes with a model."""

    id: str
    name: str
    language: str
    gender: str = ""
    loudness: float | None = None
    """LUFS at which the model speaks it; the stream's gain is the target less this. None: not measured."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    name: str
    languages: tuple[str, ...]
    """Codes; the default first."""
    rate: int
    """Samples a second that the engine gives."""
    licence: str
    """Of the weights, as an SPDX id where there is one."""
    help: str = ""
    """One or two sentences for whoever chooses a model."""
    presets: tuple[Preset, ...] = ()
    """The default voice first."""
    crosslingual: bool = False
    """Whether a preset may speak another language than its own."""
    clones: bool = False
    reference: tuple[float, float] = (5.0, 15.0)
    """Seconds of a recording: fewer than the first are refused, of more than the second the best part is cut."""
    transcript: Literal["unread", "read", "needed"] = "read"
    """What the engine makes of what is said in a recording."""
    conditionals: bool = False
    """Whether its conditioning may come from one of Chatterbox's own files; `voices.conditionals` has the names."""
    converts: bool = False
    watermarks: bool = False
    """Whether its files carry a watermark in the sound, as upstream's do."""
    streams: bool = False
    """Whether sound of a line comes before the line is done."""
    whole: bool = True
    """Whether the engine delivers a line whole: then a shorter first line makes the first sound early."""
    blends: bool = False
    designs: bool = False
    style: bool = False
    """Whether `instructions` are understood."""
    dialogue: bool = False
    live: bool = False
    """Whether text may be fed to a line that is being spoken."""
    speed: tuple[float, float] | None = None
    """The range in which the engine itself changes speed; outside it, and without it, sound is stretched."""
    pitch: bool = False
    tags: tuple[str, ...] = ()
    """Markup the model itself reads, such as `[laugh]`."""
    repeatable: Literal["exact", "draws"] = "draws"
    """What the same seed guarantees: the same samples, or the same random numbers."""
    memory: float = 0.0
    """Gigabytes on the device, claimed; the manager measures."""
    revision: str = "unpinned"
    accept: str = ""
    """The word in ACCEPT_LICENSES without which the model does not load."""
    comfortable: int = 300
    """Characters of a line that the model speaks well."""
    narrower: tuple[tuple[str, int], ...] = ()
    """Languages of which it speaks fewer well, and how many; a character of a dense script counts three here."""
    pace: float = 15.0
    """Characters it speaks in a second, about; languages written without spaces count triple."""
    hidden: bool = False
    """Left out of lists."""

    def preset(self, id: str) -> Preset | None:
        return next((preset for preset in self.presets if preset.id == id), None)

    def speaks(self, language: str, preset: Preset | None = None) -> bool:
        """Whether the model, and the preset unless voices may cross languages, speaks it; `en` covers `en-gb`."""
        if preset is not None and not self.crosslingual:
            return akin(language, preset.language)
        return any(akin(language, spoken) for spoken in self.languages)

    def fits(self, language: str) -> int:
        """Characters of a line in a language."""
        return next((chars for code, chars in self.narrower if akin(language, code)), self.comfortable)

    def natively(self, speed: float) -> float:
        """The part of a speed that the engine does itself; sound is stretched for the rest."""
        least, most = self.speed or (1.0, 1.0)
        return min(most, max(least, speed))

    def seconds(self, text: str) -> float:
        """About how long `text` plays."""
        dense = sum(1 for char in text if "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af")
        return (len(text) + 2 * dense) / self.pace


def akin(one: str, other: str) -> bool:
    """The same language, where either may leave the region open."""
    one, other = one.lower(), other.lower()
    return one == other or one == other.partition("-")[0] or other == one.partition("-")[0]
