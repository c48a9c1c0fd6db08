"""What is known of models whose engines are not built yet, so that they can be listed and chosen between.

Facts are of the models as published; where only upstream says so, the line is marked as a claim. An engine's
own card takes the place of these once it is built.
"""

from models.card import Card, Preset


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


KOKORO_PRESETS = _words(
    "af_heart af_alloy af_aoede af_bella af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky am_adam am_echo "
    "am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bf_lily bm_daniel "
    "bm_fable bm_george bm_lewis ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola "
    "jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa zf_xiaobei zf_xiaoni zf_xiaoxiao "
    "zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang"
)
KOKORO_LANGUAGES = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-br",
    "z": "zh",
}
"""A preset's first letter; its second is f or m."""


def kokoro_presets(loudness: dict[str, float] | None = None) -> tuple[Preset, ...]:
    measured = loudness or {}
    return tuple(
        Preset(
            id,
            id.partition("_")[2].capitalize(),
            KOKORO_LANGUAGES[id[0]],
            "female" if id[1] == "f" else "male",
            measured.get(id),
        )
        for id in KOKORO_PRESETS
    )


def _named(names: str, language: str, gender: str = "") -> tuple[Preset, ...]:
    return tuple(Preset(name.lower(), name, language, gender) for name in _words(names))


KOKORO = Card(
    "kokoro",
    "Kokoro",
    languages=("en", "en-us", "en-gb", "es", "fr", "hi", "it", "ja", "pt-br", "zh"),
    rate=24_000,
    licence="Apache-2.0",
    help="Small, quick and clear: 54 voices in eight languages.",
    presets=kokoro_presets(),
    crosslingual=True,
    blends=True,
    speed=(0.5, 2.0),
    repeatable="exact",
)
ORPHEUS = Card(
    "orpheus-3b",
    "Orpheus 3B",
    languages=("en",),
    rate=24_000,
    licence="Apache-2.0",  # a claim; it is built on Llama 3.2, whose licence applies too
    help="Lively English with laughs and sighs; needs a token for the hub, since its repository is gated.",
    presets=_named("Tara Leah Jess Mia Zoe", "en", "female") + _named("Leo Dan Zac", "en", "male"),
    streams=True,
    whole=False,
    tags=("<laugh>", "<chuckle>", "<sigh>", "<cough>", "<sniffle>", "<groan>", "<yawn>", "<gasp>"),
    memory=7.0,  # a claim, in bfloat16
)
VIBEVOICE_LARGE = Card(
    "vibevoice-1.5b",
    "VibeVoice 1.5B",
    languages=("en", "zh"),
    rate=24_000,
    licence="MIT",
    help="Dialogues of up to four cloned voices in one breath, English and Chinese.",
    crosslingual=True,
    clones=True,
    transcript="unread",
    dialogue=True,
    whole=False,
    comfortable=2000,
)
_DIA_SOUNDS = _words(
    "laughs clears_throat sighs gasps coughs singing mumbles groans sniffs screams inhales exhales applause humming "
    "sneezes chuckle whistles"
)
"""As upstream lists them."""
DIA = Card(
    "dia-1.6b",
    "Dia 1.6B",
    languages=("en",),
    rate=44_100,
    licence="Apache-2.0",
    help="English dialogues of two speakers with laughs and coughs; clones from a recording with its transcript.",
    clones=True,
    transcript="needed",
    dialogue=True,
    whole=False,
    tags=("[S1]", "[S2]", *(f"({sound.replace('_', ' ')})" for sound in _DIA_SOUNDS)),
    comfortable=300,
)
VIBEVOICE_REALTIME = Card(
    "vibevoice-0.5b",
    "VibeVoice Realtime 0.5B",
    languages=("en", "it", "ko", "nl", "pl", "pt"),
    rate=24_000,
    licence="MIT",
    help="Speaks while text still comes in, in voices of its own; it does not clone.",
    presets=_named("Davis Frank Mike", "en", "male") + _named("Emma Grace", "en", "female"),
    streams=True,
    whole=False,
    live=True,
)
COSYVOICE = Card(
    "cosyvoice2",
    "CosyVoice 2",
    languages=("zh", "en", "ja", "ko"),
    rate=24_000,
    licence="Apache-2.0",
    help="Clones, converts and follows instructions in four languages, streaming about a second at a time.",
    crosslingual=True,
    clones=True,
    converts=True,
    streams=True,
    whole=False,
    style=True,
)
FISH = Card(
    "fish-s2-pro",
    "Fish S2 Pro",
    languages=("en", "zh", "ja", "ko", "es", "pt", "ar", "ru", "fr", "de"),  # a claim
    rate=44_100,
    licence="LicenseRef-Fish-Audio-Research",
    help="Clones from a recording and its transcript; tags such as [whisper] say how. Commercial use needs a contract.",
    crosslingual=True,
    clones=True,
    transcript="needed",
    whole=False,
    tags=("[whisper]",),
    memory=24.0,  # a claim: what upstream recommends
    accept="fish-research",
)
_QWEN_LANGUAGES = ("en", "zh", "ja", "ko", "de", "fr", "ru", "pt", "es", "it")  # a claim
QWEN = Card(
    "qwen3-tts",
    "Qwen3-TTS",
    languages=_QWEN_LANGUAGES,
    rate=24_000,
    licence="Apache-2.0",
    help="Clones from a recording, with or without its transcript, in ten languages.",
    crosslingual=True,
    clones=True,
    whole=False,
)
QWEN_CUSTOM = Card(
    "qwen3-tts-custom",
    "Qwen3-TTS Custom Voice",
    languages=_QWEN_LANGUAGES,
    rate=24_000,
    licence="Apache-2.0",
    help="Nine voices of its own that follow instructions, in ten languages.",
    presets=_named("Ryan Aiden", "en", "male")
    + _named("Vivian Serena", "zh", "female")
    + _named("Uncle_Fu Dylan Eric", "zh", "male")
    + _named("Ono_Anna", "ja", "female")
    + _named("Sohee", "ko", "female"),
    crosslingual=True,
    whole=False,
    style=True,
)
QWEN_DESIGN = Card(
    "qwen3-tts-design",
    "Qwen3-TTS Voice Design",
    languages=_QWEN_LANGUAGES,
    rate=24_000,
    licence="Apache-2.0",
    help="Makes a voice from a description of it, in ten languages.",
    crosslingual=True,
    whole=False,
    designs=True,
)
PARLER = Card(
    "parler-mini",
    "Parler-TTS Mini",
    languages=("en",),
    rate=44_100,
    licence="Apache-2.0",
    help="English in voices that a sentence describes, or by the name of a speaker it knows.",
    presets=_named("Jon Gary", "en", "male") + _named("Lea Jenna", "en", "female"),
    streams=True,
    whole=False,
    designs=True,
    style=True,
)
