"""Whisper by faster-whisper, on the CPU: engines have the card to themselves.

Loaded by whoever hears first, once; one recording at a time, since each takes all the threads it may have. It
opens the folder it was given and asks no hub.
"""

import threading
from pathlib import Path
from typing import Any

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Word
from listening.recogniser import Flag, Heard
from listening.resampling import resampled

RATE = 16_000
LONGEST = 600.0
"""Seconds heard at once."""
THREADS = 4
TOKENS = 224
"""Of thirty seconds. Whisper that has lost its way repeats itself until it is stopped."""


class Whisper:
    def __init__(self, place: Path, threads: int = THREADS) -> None:
        self._place = place
        self._threads = threads
        self._one_at_a_time = threading.Lock()
        self._model: Any = None

    def hear(self, samples: Samples, rate: int, language: str = "", cancel: Flag | None = None) -> Heard:
        seconds = len(samples) / rate
        if seconds > LONGEST:
            raise Failure(
                "reference_too_large", f"{seconds:.0f} s are too long; up to {LONGEST:g} s are heard at once."
            )
        if not samples.size:
            return Heard("", language, ())
        code = language.lower().replace("_", "-").partition("-")[0]
        with self._one_at_a_time:
            _unless(cancel)
            return self._hear(resampled(samples, rate, RATE), code, seconds, cancel)

    def _hear(self, samples: Samples, code: str, seconds: float, cancel: Flag | None) -> Heard:
        model = self._loaded()
        if code and code not in model.supported_languages:
            raise Failure("unsupported_language", f"The recogniser knows no language `{code}`.", field="language")
        segments, info = model.transcribe(
            samples,
            language=code or None,
            word_timestamps=True,
            condition_on_previous_text=False,
            max_new_tokens=TOKENS,
        )
        text, words = "", []
        for segment in segments:
            _unless(cancel)
            text += segment.text
            words += [
                Word(word.word.strip(), min(word.start, seconds), min(word.end, seconds))
                for word in segment.words or ()
            ]
        return Heard(text.strip(), str(info.language), tuple(words))

    def _loaded(self) -> Any:
        if self._model is None:
            from faster_whisper import WhisperModel  # type: ignore[import-untyped]

            try:
                self._model = WhisperModel(
                    str(self._place),
                    device="cpu",
                    compute_type="int8",
                    cpu_threads=self._threads,
                    local_files_only=True,
                )
            except (RuntimeError, ValueError, OSError) as error:
                raise Failure("weights_missing", "The recogniser's files are damaged or of another kind.") from error
        return self._model


def _unless(cancel: Flag | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Failure("cancelled", "The job was cancelled while its recording was written down.")
