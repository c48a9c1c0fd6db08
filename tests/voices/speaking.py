"""Sounds that tests of recordings need: real speech by the engine in the wheel, and what spoils it."""

import io
from fractions import Fraction
from functools import cache

import av
import numpy as np
from hibari import Hibari  # type: ignore[import-untyped]
from numpy.typing import NDArray

from basics.audio import Samples

RATE = 24_000
TEXTS = (
    "Good morning everyone, and welcome to our little show about the sea.",
    "Is it really true? I never would have guessed that it could happen, not even in a dream.",
    "The numbers were four, eight, fifteen, sixteen, twenty three and forty two.",
    "He spoke slowly and quietly, so that nobody in the next room would hear a single word of it.",
)


@cache
def _speaker() -> Hibari:
    return Hibari()


@cache
def sentence(number: int) -> Samples:
    samples: Samples = np.asarray(_speaker()(TEXTS[number], seed=number), np.float32)
    samples.setflags(write=False)
    return samples


def speech(sentences: int = 2) -> Samples:
    """About five seconds a sentence, with pauses between."""
    pause = np.zeros(RATE // 2, np.float32)
    return np.concatenate([part for at in range(sentences) for part in (sentence(at % len(TEXTS)), pause)])


def raised(samples: Samples, semitones: float) -> Samples:
    """Another speaker, near enough: pitch and formants moved together, and the pace with them."""
    places = np.arange(0, len(samples) - 1, 2 ** (semitones / 12))
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def noise(count: int, level: float = 0.1) -> Samples:
    return (level * np.random.default_rng(7).standard_normal(count)).astype(np.float32)


def hum(count: int, hertz: float, amplitude: float, rate: int = RATE) -> Samples:
    time = np.arange(count) / rate
    return sum(amplitude / k * np.sin(2 * np.pi * hertz * k * time + k) for k in range(1, 6)).astype(np.float32)  # type: ignore[union-attr]


def music(count: int, rate: int = RATE) -> Samples:
    """Chords of three notes with six overtones each, struck every 0.6 s."""
    draw, struck, out = np.random.default_rng(3), round(0.6 * rate), np.zeros(count, np.float32)
    for start in range(0, count, struck):
        time = np.arange(min(struck, count - start)) / rate
        root = 220 * 2 ** (draw.integers(0, 12) / 12)
        for note in (0, 4, 7):
            for overtone in range(1, 7):
                wave = np.sin(2 * np.pi * root * 2 ** (note / 12) * overtone * time) * np.exp(-2 * time) / overtone
                out[start : start + len(time)] += wave.astype(np.float32)
    return np.asarray(0.3 * out / np.abs(out).max(), np.float32)


def beside(sound: Samples, other: Samples, db: float) -> Samples:
    """`sound` with `other` so many dB below it."""
    gain = np.sqrt(np.mean(np.square(sound)) / np.mean(np.square(other))) * 10 ** (-db / 20)
    return np.asarray(sound + gain * other[: len(sound)], np.float32)


def encoded(
    channels: NDArray[np.float32], rate: int = RATE, container: str = "wav", codec: str = "pcm_s16le", layout: str = ""
) -> bytes:
    """A file of one row, or of one row a channel."""
    rows = np.atleast_2d(channels)
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(rows)]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as writing:
        stream = writing.add_stream(codec, rate=rate, layout=layout)
        whole = np.ascontiguousarray((np.clip(rows, -1, 1) * 32767).astype(np.int16).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            writing.mux(packet)
    return file.getvalue()


@cache
def silent(seconds: int, container: str, codec: str, rate: int = 48_000, channels: int = 1) -> bytes:
    """Hours of nothing in few bytes."""
    return repeated(np.zeros((channels, 10 * rate), np.float32), seconds, container, codec, rate)


def repeated(channels: NDArray[np.float32], seconds: float, container: str, codec: str, rate: int) -> bytes:
    """Encoded once, and the packets again and again."""
    layout = {1: "mono", 8: "7.1"}[len(channels)]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as writing:
        stream = writing.add_stream(codec, rate=rate, layout=layout)
        whole = np.ascontiguousarray((channels * 32767).astype(np.int16).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
        frame.sample_rate = rate
        kept, at = [(bytes(packet), packet.duration) for packet in stream.encode(frame) if packet.duration], 0
        while at < seconds * rate:
            for data, duration in kept:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.duration = stream, Fraction(1, rate), duration
                packet.pts = packet.dts = at
                at += duration
                writing.mux(packet)
    return file.getvalue()


def film(samples: Samples | None, container: str = "mp4") -> bytes:
    """Ten small pictures, with sound beside them or without."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as writing:
        pictures = writing.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound = writing.add_stream("aac", rate=RATE, layout="mono") if samples is not None else None
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            for packet in pictures.encode(picture):
                writing.mux(packet)
        for packet in pictures.encode(None):
            writing.mux(packet)
        if sound is not None and samples is not None:
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            for packet in [*sound.encode(frame), *sound.encode(None)]:
                writing.mux(packet)
    return file.getvalue()
