"""How loud an engine speaks a voice, found out once, when it derives what it conditions on.

A voice of the library is heard saying one short line, and so is a preset that the card has no figure for; one that
came with a request is taken to be as loud as its own recording, so that nobody waits for it.
"""

import asyncio
import uuid

from basics.audio import join
from models.card import Card
from models.engine import Conditioning, Line
from models.listener import Listener
from models.resident import Resident
from speech.loudness import measure
from speech.order import Role
from voices.derived import Derived
from voices.fitting import fitted
from voices.voice import Voice

LINES = {
    "ar": "طلعت الشمس فوق التلال وبدأ الناس يومهم بهدوء.",
    "de": "Die Sonne stand schon hoch, als wir endlich das Dorf am Fluss erreichten.",
    "en": "The sun was already high when we finally reached the village by the river.",
    "es": "El sol ya estaba alto cuando por fin llegamos al pueblo junto al río.",
    "fr": "Le soleil était déjà haut quand nous sommes enfin arrivés au village.",
    "hi": "जब हम नदी के किनारे गाँव पहुँचे तब सूरज ऊपर आ चुका था।",
    "it": "Il sole era già alto quando siamo finalmente arrivati al villaggio.",
    "ja": "川のそばの村に着いたとき、太陽はもう高く昇っていました。",
    "ko": "우리가 강가 마을에 도착했을 때 해는 이미 높이 떠 있었습니다.",
    "nl": "De zon stond al hoog toen we eindelijk het dorp aan de rivier bereikten.",
    "pl": "Słońce było już wysoko, kiedy wreszcie dotarliśmy do wioski nad rzeką.",
    "pt": "O sol já estava alto quando finalmente chegamos à aldeia junto ao rio.",
    "ru": "Солнце было уже высоко, когда мы наконец добрались до деревни у реки.",
    "tr": "Nehrin kıyısındaki köye vardığımızda güneş çoktan yükselmişti.",
    "zh": "我们终于走到河边的村子时，太阳已经升得很高了。",
}
"""One sentence a language; in others the voice is heard with the job's own first words."""
SEED = 1
LONGEST_SECONDS = 20.0
CHARS = 120


async def gauged(role: Role, resident: Resident) -> Derived:
    """What the engine derives from the role's voice, with its loudness."""
    arrays = await _derived(role.voice, resident)
    if role.voice.kind == "inline" and role.voice.samples is not None:
        heard = await asyncio.to_thread(measure, role.voice.samples, role.voice.rate)
        return Derived(arrays, heard.lufs)
    if not _unmeasured(role.voice, resident.card):
        return Derived(arrays)
    return Derived(arrays, await _spoken(role, resident, arrays))


async def _derived(voice: Voice, resident: Resident) -> Conditioning:
    """From the part of its recording that the engine hears; a file that is conditioning already is taken as it is."""
    if voice.conditionals is not None:
        return dict(voice.conditionals)
    return await resident.prepare(await asyncio.to_thread(fitted, voice, *resident.card.reference))


async def _spoken(role: Role, resident: Resident, arrays: Conditioning) -> float:
    line = Line(
        id=f"gauge/{uuid.uuid4().hex}",
        text=LINES.get(role.language.partition("-")[0], role.segment.text[:CHARS]),
        language=role.language,
        conditioning=arrays,
        options=type(role.options)(),
        seed=SEED,
        longest=LONGEST_SECONDS,
    )
    pieces = [piece.samples async for piece in resident.speak(line, Listener("file"))]
    heard = await asyncio.to_thread(measure, join(pieces), resident.card.rate)
    return heard.lufs


def _unmeasured(voice: Voice, card: Card) -> bool:
    """Whether a voice in it is not on the card, or is there without its loudness."""
    presets = (card.preset(part.id) if part.kind == "preset" else None for part, _ in voice.parts or ((voice, 1.0),))
    return any(preset is None or preset.loudness is None for preset in presets)
