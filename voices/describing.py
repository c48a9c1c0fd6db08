"""What is written into a voice's record about its recording, and read from it again when somebody speaks."""

from typing import Any

from basics.audio import Samples
from basics.events import Word
from listening.activity import Span
from voices.choosing import LONGEST, SHORTEST, Chosen, choose
from voices.ledger import Sound
from voices.record import Record
from voices.reference import Reference
from voices.voice import Voice

FOUND = {"quality", "chosen", "spans", "words", "duration", "transcript", "transcript_state", "of_chosen"}
"""What belongs to a recording: another recording has its own."""


def described(record: Record, reference: Reference, hears: bool) -> Record:
    """With what was found out about the recording, and the seconds of it that engines hear.

    `hears`: whether somebody is there to write down what is said.
    """
    seconds = reference.seconds
    chosen = choose(reference.samples, reference.rate, reference.spans, min(SHORTEST, seconds), LONGEST)
    quality: dict[str, Any] = {
        "score": reference.quality.score,
        "snr_db": reference.quality.snr_db,
        "clipping": reference.quality.clipping,
        "speech_seconds": round(reference.quality.speech_seconds, 2),
        "warnings": list(reference.quality.warnings),
    }
    found: dict[str, Any] = {
        "quality": quality,
        "chosen": (round(chosen.start, 4), round(chosen.end, 4)),
        "spans": tuple((round(span.start, 3), round(span.end, 3)) for span in reference.spans if _in(span, chosen)),
        "words": (),
        "duration": seconds,
    }
    if hears and not record.transcript:
        found["transcript_state"] = "pending"
    return record.model_copy(update=found)


def voice_of(record: Record, samples: Samples, rate: int) -> Voice:
    """Ready to speak with: the chosen seconds of the whole recording."""
    start, end = record.chosen or (0.0, len(samples) / rate)
    heard = samples[round(start * rate) : round(end * rate)].copy()
    seconds = len(heard) / rate
    spans = sorted((max(0.0, first - start), min(seconds, last - start)) for first, last in record.spans)
    words = (Word(text, first - start, last - start) for text, first, last in record.words)
    return Voice(
        record.id,
        "library",
        record.digest,
        record.language,
        record.spoken,
        heard,
        rate,
        spans=tuple(Span(first, last) for first, last in spans if first < last),
        words=tuple(word for word in words if word.start < seconds),
        weights=record.weights,
    )


def sound_of(reference: Reference) -> Sound:
    return Sound(reference.samples, reference.rate, reference.sha256)


def _in(span: Span, chosen: Chosen) -> bool:
    return span.end > chosen.start and span.start < chosen.end
