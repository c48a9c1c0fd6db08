"""A recording as it is kept: FLAC of 16 bits, mono. Samples on that grid come back as they went in."""

import io

import av
import numpy as np
from av.error import FFmpegError

from basics.audio import Samples
from basics.errors import Failure

SCALE = 32768
BLOCK = 4096


def packed(samples: Samples, rate: int) -> bytes:
    file = io.BytesIO()
    whole = np.clip(np.rint(samples * SCALE), -SCALE, SCALE - 1).astype(np.int16)
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        for start in range(0, len(whole), BLOCK):
            block = np.ascontiguousarray(whole[None, start : start + BLOCK])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def unpacked(data: bytes) -> tuple[Samples, int]:
    """Samples and rate. Raises `voice_unusable`: what the library kept is damaged."""
    try:
        with av.open(io.BytesIO(data), "r", format="flac") as container:
            rate = container.streams.audio[0].rate
            rows = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    except (FFmpegError, IndexError, ValueError):
        raise Failure("voice_unusable", "The voice's kept recording is damaged.", hint=ANEW) from None
    if not rows or rows[0].dtype != np.int16:
        raise Failure("voice_unusable", "The voice's kept recording is empty or not of 16 bits.", hint=ANEW)
    return np.concatenate(rows).astype(np.float32) / np.float32(SCALE), rate


ANEW = "Create it anew with `replace`."
