"""A voice as one engine hears it: the part of its recording that the engine's limits allow, with what is said there.

A voice keeps up to half a minute, and where its pauses and words lie. Which part an engine hears depends on nothing
else, so that every worker cuts the same. It computes, in a thread; which engine asks is not known here.
"""

from dataclasses import replace

from listening.activity import Span
from voices.choosing import SHORTEST, choose
from voices.voice import Voice

EXACT = 0.01
"""Seconds by which a recording may be longer than an engine likes: rounding."""


def fitted(voice: Voice, least: float, most: float) -> Voice:
    """The parts of a blend each for itself. Raises `reference_too_short`."""
    if voice.parts:
        return replace(voice, parts=tuple((fitted(part, least, most), share) for part, share in voice.parts))
    if voice.samples is None or not is_cut(voice, most):
        return voice
    spans = voice.spans or (Span(0.0, voice.seconds),)
    shortest = max(least, min(SHORTEST, most / 2))
    chosen = choose(voice.samples, voice.rate, spans, shortest, most, voice.words)
    return replace(voice, samples=chosen.samples.copy(), transcript=chosen.transcript, spans=(), words=())


def is_cut(voice: Voice, most: float) -> bool:
    """Whether an engine that hears `most` seconds hears a part of it."""
    return voice.seconds > most + EXACT
