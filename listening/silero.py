"""Silero's voice activity network, run by onnxruntime from the file that faster-whisper carries.

An optional extra: `installed` gives it where both packages are there, else nothing, and callers use `Levels`.
It imports neither package before it is asked, and of faster-whisper only the file is used.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples
from listening.activity import SHORTEST_PAUSE, SHORTEST_SPEECH, Activity, Levels, Span, joined
from listening.resampling import resampled

RATE = 16_000
STEP = 512
"""Samples a verdict is about."""
BEFORE = 64
"""Samples of the step before that the network sees again."""
STEPS_A_RUN = 2000
PAD = 0.03
"""Seconds added at both ends: the network is late by a frame."""


class Silero:
    def __init__(self, session: Any) -> None:
        self._session = session

    @classmethod
    def load(cls, weights: Path) -> Self:
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        return cls(onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"]))

    def spans(self, samples: Samples, rate: int) -> tuple[Span, ...]:
        seconds = len(samples) / rate
        likely = self._likely(resampled(samples, rate, RATE))
        found = joined(_held(likely), STEP / RATE, SHORTEST_PAUSE, SHORTEST_SPEECH)
        return tuple(Span(max(0.0, span.start - PAD), min(seconds, span.end + PAD)) for span in found)

    def _likely(self, heard: Samples) -> NDArray[np.float32]:
        steps = np.pad(heard, (0, -len(heard) % STEP)).reshape(-1, STEP)
        before = np.zeros((len(steps), BEFORE), np.float32)
        before[1:] = steps[:-1, -BEFORE:]
        state, cell = (np.zeros((1, 1, 128), np.float32) for _ in range(2))
        found = [np.zeros(0, np.float32)]
        for at in range(0, len(steps), STEPS_A_RUN):
            run = np.concatenate([before[at : at + STEPS_A_RUN], steps[at : at + STEPS_A_RUN]], axis=1)
            likely, state, cell = self._session.run(None, {"input": run, "h": state, "c": cell})
            found.append(np.asarray(likely, np.float32).reshape(-1))
        return np.concatenate(found)


def _held(likely: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Speech begins above a half and goes on until a third, so that a weak syllable does not end it."""
    active, speaking = np.zeros(len(likely), np.bool_), False
    for at, chance in enumerate(likely.tolist()):
        speaking = chance > (0.35 if speaking else 0.5)
        active[at] = speaking
    return active


def weights() -> Path | None:
    """The network's file, where faster-whisper and onnxruntime are installed."""
    carrier = find_spec("faster_whisper")
    if carrier is None or carrier.origin is None or find_spec("onnxruntime") is None:
        return None
    return next(iter(sorted((Path(carrier.origin).parent / "assets").glob("silero_vad*.onnx"))), None)


@cache
def installed() -> Activity:
    """The best that this environment has. One for all threads: it keeps no state between calls."""
    found = weights()
    return Levels() if found is None else Silero.load(found)
