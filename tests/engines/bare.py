"""The forty sentences as hibari alone speaks them, and how well they are understood. Made once a session."""

from functools import cache
from pathlib import Path

from basics.audio import Samples, join
from models.engine import Line, Options
from models.engines.hibari import Hibari
from tests.engines.recogniser import SENTENCES, transcribe, wer, words
from voices.voice import Voice

Sound = tuple[Samples, int]
"""Samples and their rate."""


def spoken() -> list[Sound]:
    hibari = Hibari.load(Path(), "cpu", "")
    heart = hibari.prepare(Voice("heart", "preset", "heart"))
    lines = (Line("a", text, "en", heart, Options(), seed) for seed, text in enumerate(SENTENCES))
    return [(join(list(hibari.speak(line))), hibari.card.rate) for line in lines]


@cache
def misheard() -> float:
    return corpus_error(spoken())


def corpus_error(sounds: list[Sound]) -> float:
    """Of all words of the sentences, the share that was misheard."""
    wrong = [wer(text, transcribe(*sound)) * len(words(text)) for text, sound in zip(SENTENCES, sounds, strict=True)]
    return sum(wrong) / sum(len(words(text)) for text in SENTENCES)
