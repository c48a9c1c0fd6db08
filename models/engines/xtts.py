"""XTTS v2 by Coqui: clones from a few seconds into 17 languages. Weights under the CPML, which forbids commercial use.

Upstream speaks one line at a time, decodes all it has said again for each chunk of a stream, and writes beside its
weights. Here a voice is a value, lines are computed together, each frame is decoded once, and the folder is only read.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from pydantic import Field

from basics.audio import Samples, as_mono
from basics.errors import Failure
from models.card import Card, Preset
from models.engine import Conditioning, Deck, Engine, Line, Options
from models.engines.memory import fitting
from voices.voice import Voice

if TYPE_CHECKING:
    from models.engines.xtts_deck import Parts
    from models.runtime.sampler import Knobs

PRECISIONS = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_WOMEN = (
    "Claribel Dervla, Daisy Studious, Gracie Wise, Tammie Ema, Alison Dietlinde, Ana Florence, Annmarie Nele, "
    "Asya Anara, Brenda Stern, Gitta Nikolina, Henriette Usha, Sofia Hellen, Tammy Grit, Tanja Adelina, "
    "Vjollca Johnnie, Nova Hogarth, Maja Ruoho, Uta Obando, Lidiya Szekeres, Chandra MacFarland, Szofi Granger, "
    "Camilla Holmström, Lilya Stainthorpe, Zofija Kendrick, Narelle Moon, Barbora MacLean, Alexandra Hisakawa, "
    "Alma María, Rosemary Okafor"
)
_MEN = (
    "Andrew Chipper, Badr Odhiambo, Dionisio Schuyler, Royston Min, Viktor Eka, Abrahan Mack, Adde Michal, "
    "Baldur Sanjin, Craig Gutsy, Damien Black, Gilberto Mathias, Ilkin Urbano, Kazuhiko Atallah, Ludvig Milivoj, "
    "Suad Qasim, Torcull Diarmuid, Viktor Menelaos, Zacharie Aimilios, Ige Behringer, Filip Traverse, "
    "Damjan Chapman, Wulf Carlevaro, Aaron Dreschner, Kumar Dahl, Eugenio Mataracı, Ferran Simen, Xavier Hayasaka, "
    "Luis Moray, Marcos Rudaski"
)
"""As `speakers_xtts.pth` names them; who is which is told by their names."""


STAND_IN = Preset("heart", "Heart", "en", "female", description="hibari's synthetic voice, imitated")
"""Of weights that come without voices, as fine-tuned ones do."""
_WORDS = "The harbour was quiet when the first boats came in. Nobody spoke, and the gulls kept to the roofs."


def slug(name: str) -> str:
    """A name as an id: `Alma María` is `alma-maria`."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ı", "i"))
    return "-".join("".join(char for char in plain if not unicodedata.combining(char)).split())


def _presets() -> tuple[Preset, ...]:
    named = [(name, gender) for names, gender in ((_WOMEN, "female"), (_MEN, "male")) for name in names.split(", ")]
    return (*(Preset(slug(name), name, "en", gender) for name, gender in named), STAND_IN)


class XttsOptions(Options):
    temperature: float = Field(0.75, ge=0.0, le=5.0, description="Liveliness of the draws; 0 takes the likeliest.")
    repetition_penalty: float = Field(10.0, ge=1.0, le=50.0, description="Against saying the same again; 1 is none.")
    top_k: int = Field(50, ge=0, le=1026, description="Draws from so many of the likeliest; 0 from all.")
    top_p: float = Field(0.85, gt=0.0, le=1.0, description="Draws from the likeliest that make up this share.")


class Xtts(Engine):
    card: ClassVar[Card] = Card(
        "xtts-v2",
        "XTTS v2",
        languages=tuple("en es fr de it pt pl tr ru nl cs ar zh hu ko ja hi".split()),
        rate=24_000,
        licence="LicenseRef-Coqui-CPML",
        help="Clones into seventeen languages and has 58 voices of its own. Its weights forbid commercial use.",
        presets=_presets(),
        crosslingual=True,
        clones=True,
        reference=(3.0, 30.0),  # upstream asks for three at the least and hears thirty
        transcript="unread",
        streams=True,
        whole=False,
        speed=(0.5, 2.0),
        accept="cpml",
        memory=1.9,  # in fp32, as counted over full-size random weights
        comfortable=250,
        narrower=(  # upstream's own limits; where a character counts three, so do they
            *(("es", 239), ("it", 213), ("pt", 203), ("pl", 224), ("tr", 226), ("ru", 182), ("cs", 186), ("ar", 166)),
            *(("zh", 246), ("hu", 224), ("ja", 213), ("hi", 150)),
        ),
    )
    Options: ClassVar[type[Options]] = XttsOptions

    def __init__(self, parts: "Parts", speakers: Path) -> None:
        self._parts, self._speakers = parts, speakers

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> Self:
        from models.engines import xtts_weights as files

        files.check(weights)
        return cls(_parts(weights, device, dtype), weights / files.SPEAKERS)

    def prepare(self, voice: Voice) -> Conditioning:
        if voice.samples is not None and voice.samples.size:
            return self._heard(voice.samples, voice.rate)
        if voice.kind != "preset":
            message = f"{self.card.id} speaks in its own voices and in recorded ones."
            raise Failure("voice_unusable", message, field="voice")
        if self.card.preset(voice.id) is None:
            raise Failure("unknown_voice", f"{self.card.id} has no voice `{voice.id}`.", field="voice")
        return self._imitated() if voice.id == STAND_IN.id else self._published(voice.id)

    def open(self, room: int) -> Deck:
        from models.engines.xtts_deck import XttsDeck

        with fitting(f"{self.card.id} has no memory for {room} lines."):
            return XttsDeck(self._parts, self.card, room, _knobs)

    def memory(self) -> float:
        parts = self._parts
        return float(parts.thinker.bytes + parts.sound.bytes + parts.ear.bytes) / 1e9

    def _imitated(self) -> Conditioning:
        from hibari import Hibari  # type: ignore[import-untyped,unused-ignore]

        return self._heard(as_mono(Hibari(voice="heart", threads=1)(_WORDS, seed=0)), 24_000)

    def _heard(self, samples: Samples, rate: int) -> Conditioning:
        with fitting(f"{self.card.id} has no memory left to hear a recording."):
            heard: Conditioning = self._parts.ear.heard(samples, rate)
        return heard

    def _published(self, id: str) -> Conditioning:
        from models.engines.xtts_weights import damaged, speakers

        found = speakers(self._speakers).get(id)
        if found is None:
            message = f"The voice `{id}` is not among those that came with these weights."
            raise Failure("weights_missing", message, field="voice")
        arrays = {name: np.ascontiguousarray(each.float().numpy()) for name, each in found.items()}
        if arrays["gpt_cond_latent"].shape[-1] != self._parts.thinker.width:
            raise damaged(self._speakers.name)
        return arrays


def _knobs(line: Line) -> "Knobs":
    from models.runtime.sampler import Knobs

    asked = line.options if isinstance(line.options, XttsOptions) else XttsOptions()
    return Knobs(asked.temperature, asked.top_k, asked.top_p, 0.0, asked.repetition_penalty)


def _parts(weights: Path, device: str, dtype: str) -> "Parts":
    """In half precision on a card, as upstream's own quick way there; sound and voice always in single."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines import xtts_weights as files
    from models.engines.xtts_deck import Parts
    from models.engines.xtts_ear import Ear
    from models.engines.xtts_gpt import Thinker
    from models.engines.xtts_sound import Sound
    from models.engines.xtts_text import Reader

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Failure("misconfigured", "DEVICE: this image's torch has no CUDA; set DEVICE=cpu.")
    if dtype and dtype not in PRECISIONS:
        raise Failure("misconfigured", f"DTYPE: XTTS v2 comes in {', '.join(PRECISIONS)}, not `{dtype}`.")
    precise = getattr(torch, PRECISIONS[dtype or ("fp16" if device.startswith("cuda") else "fp32")])
    habits = files.Habits.read(weights)
    with _reading(files.VOCABULARY):
        reader = Reader.load(weights / files.VOCABULARY)
    held = files.tensors(weights / files.MODEL)
    with _reading(files.MODEL), torch.inference_mode():
        thinker = Thinker(held, habits, device, precise)
        return Parts(reader, thinker, Sound(held, device), Ear(held, habits, device))


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """What a file that holds something else brings about, in our words."""
    from models.engines.xtts_weights import damaged

    try:
        with fitting("XTTS v2 does not fit into the device's memory."):
            yield
    except (RuntimeError, ValueError, LookupError, TypeError, OSError) as error:
        raise damaged(name) from error
