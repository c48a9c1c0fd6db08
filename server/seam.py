"""Where the sound of several jobs becomes one stream: silence between them, one encoder, times that go on.

Takes plain samples and computes, so it is called in threads, one call at a time. Knows no jobs.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from basics.events import Audio
from speech.encoding import Encoder
from speech.formats import PCM, Output
from speech.stamp import Stamp

SAMPLE_BYTES = 2


class Seam:
    def __init__(self, output: Output, stamp: Stamp | None) -> None:
        self.output = output
        self.seq = self.bytes = 0
        self.seconds = 0.0
        """Of sound so far."""
        self.answers: list[dict[str, Any]] = []
        """Of each job that has ended."""
        self._encoder = None if output.format is PCM else Encoder(output, output.rate, stamp)
        self._gap = self._before = 0.0
        self._begins: list[float] = []
        self._held: Audio | None = None
        """What the encoder gave no bytes for yet."""

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Of all jobs, each when it is heard."""
        told = []
        for answer, before in zip(self.answers, self._begins, strict=False):
            told += [{**each, "start": each.get("start", 0.0) + before} for each in answer.get("segments") or []]
        return told

    def begin(self, silence_seconds: float) -> None:
        """The next job's sound, after so much silence."""
        self._gap = silence_seconds
        self._before = self.seconds + silence_seconds
        self._begins.append(self._before)

    def joined(self, event: Audio) -> list[Audio]:
        """What it becomes, once the encoder has bytes for it."""
        samples = event.data
        if self._gap:
            samples = bytes(round(self._gap * self.output.rate) * SAMPLE_BYTES) + samples
        start, duration = self._before + event.start - self._gap, event.duration + self._gap
        self._gap = 0.0
        self.seconds += duration
        words = tuple(_later(word, self._before) for word in event.words)
        return self._told(self._encoded(samples), replace(event, start=start, duration=duration, words=words))

    def end(self) -> list[Audio]:
        """What was held back. Without a job nothing is."""
        if self._encoder is None or not self.seconds:
            return []
        return self._told(self._encoder.finish(), Audio(0, b"", self.seconds, 0.0), last=True)

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()

    def _encoded(self, samples: bytes) -> bytes:
        if self._encoder is None:
            return samples
        return self._encoder.feed(np.frombuffer(samples, "<i2").astype(np.float32) / np.float32(32767))

    def _told(self, data: bytes, event: Audio, last: bool = False) -> list[Audio]:
        if self._held is not None:
            text = " ".join(each for each in (self._held.text, event.text) if each)
            words = (*self._held.words, *event.words)
            duration = self._held.duration + event.duration
            event = replace(event, start=self._held.start, duration=duration, text=text, words=words)
        if not data and not last:
            self._held = event
            return []
        self._held = None
        if not data and not event.duration:
            return []
        told = replace(event, seq=self.seq, data=data)
        self.seq, self.bytes = self.seq + 1, self.bytes + len(data)
        return [told]


def _later(word: dict[str, Any], seconds: float) -> dict[str, Any]:
    moved = {name: word[name] + seconds for name in ("start", "end") if isinstance(word.get(name), int | float)}
    return {**word, **moved}
