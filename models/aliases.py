"""Names that callers bring along from elsewhere: whose model or preset speaks when one is asked for.

Plain data and one rule. What these tables say is always named in the answer. MODEL_ALIASES and VOICE_ALIASES go
before them, and so does whatever really has the name.
"""

from collections.abc import Mapping

from models.card import Card, Preset, akin

STAND_INS: Mapping[str, str] = {
    "tts-1": "kokoro",
    "tts-1-hd": "orpheus-3b",
    "gpt-4o-mini-tts": "kokoro",
    "gpt-4o-mini-tts-2025-12-15": "kokoro",
    "eleven_flash_v2": "",
    "eleven_flash_v2_5": "",
    "eleven_monolingual_v1": "",
    "eleven_multilingual_v1": "",
    "eleven_multilingual_v2": "",
    "eleven_turbo_v2": "",
    "eleven_turbo_v2_5": "",
    "eleven_v3": "",
}
"""Other makers' models, and who speaks for them where it is served; else, and for nobody, the worker's default."""

OPENAI_VOICES: Mapping[str, str] = {
    "alloy": "female",
    "ash": "male",
    "ballad": "male",
    "coral": "female",
    "echo": "male",
    "fable": "male",
    "onyx": "male",
    "nova": "female",
    "sage": "female",
    "shimmer": "female",
    "verse": "male",
    "marin": "female",
    "cedar": "male",
}


def preset_for(name: str, card: Card) -> Preset | None:
    """The preset that speaks for one of OpenAI's voices: its namesake (`af_nova`), else one of the same gender in the
    default's language, each name another as long as there are enough."""
    if name not in OPENAI_VOICES or not card.presets:
        return None
    namesakes = {preset.id.rpartition("_")[2]: preset for preset in reversed(card.presets)}
    if name in namesakes:
        return namesakes[name]
    near = [preset for preset in card.presets if akin(preset.language, card.presets[0].language)]
    fitting = [preset for preset in near if preset.gender == OPENAI_VOICES[name]] or near
    fitting = [preset for preset in fitting if preset.id.rpartition("_")[2] not in OPENAI_VOICES] or fitting
    alike = [each for each, gender in OPENAI_VOICES.items() if gender == OPENAI_VOICES[name] and each not in namesakes]
    return fitting[alike.index(name) % len(fitting)]
