"""The stamp: says inside the file that the sound is synthetic and which model made it.

It is data about the sound, not a watermark in it. Which tag a container spells it as is the muxer's business.
"""

from dataclasses import dataclass

from speech.formats import FORMATS, Format

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media made by a trained model, which tools for provenance look for."""


@dataclass(frozen=True, slots=True)
class Stamp:
    model: str
    revision: str
    voice_kind: str = ""
    """`preset`, `library`, `inline`, `blend` or `design`: how the voice came to be, never whose it is."""

    def tags(self) -> dict[str, str]:
        """`comment` alone holds all of it: RIFF INFO has no place for the names of our own."""
        voice = f", {self.voice_kind} voice" if self.voice_kind else ""
        tags = {
            "comment": f"Synthetic speech made by a machine: model {self.model}, revision {self.revision}{voice}.",
            "synthetic": "yes",
            "model": self.model,
            "model_revision": self.revision,
            "voice_kind": self.voice_kind,
            "digital_source_type": SOURCE_TYPE,
        }
        return {name: value for name, value in tags.items() if value}


def warning_for(format: Format) -> str | None:
    """What the answer's `warnings` say where the stamp finds no place."""
    if format.tagged:
        return None
    places = ", ".join(name for name, each in FORMATS.items() if each.tagged)
    return f"{format.name} has no place for metadata, so nothing in it says that it is synthetic; {places} have one."
