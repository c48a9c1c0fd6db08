"""Sounds to try rooms with, and ears for what comes out of them. Nothing here is random from run to run."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import av
import numpy as np
import soxr  # type: ignore[import-untyped]

from basics.audio import Samples
from speech.formats import ALAW, MULAW, PCM, Output


def sine(hertz: float, seconds: float, rate: int = 24_000, level: float = 0.3) -> Samples:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds: float, rate: int = 24_000, level: float = 0.1, seed: int = 0) -> Samples:
    """`level`: its root mean square."""
    return (np.random.default_rng(seed).standard_normal(round(seconds * rate)) * level).astype(np.float32)


@cache
def voice(seconds: float, rate: int = 24_000, level: float = 0.5, hertz: float = 140.0) -> Samples:
    """Syllables, four a second: harmonics of a moving pitch under a rounded envelope, and a little breath."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(hertz * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time))) / rate
    buzz = sum((np.sin(k * phase) / k for k in range(1, 16)), np.zeros(time.size))
    envelope = np.sin(np.pi * ((time * 4) % 1)) ** 0.5
    return (level * envelope * (0.4 * buzz + noise(seconds, rate, 0.02))).astype(np.float32)


def cut(samples: Samples, size: int) -> Iterator[Samples]:
    return (samples[start : start + size] for start in range(0, samples.size, size))


def pitch_hertz(samples: Samples, rate: int = 24_000) -> float:
    """Where the spectrum of the middle half is highest, between its bins."""
    middle = samples[samples.size // 4 : -samples.size // 4]
    power = np.log(np.abs(np.fft.rfft(middle * np.hanning(middle.size))) + 1e-12)
    top = int(power.argmax())
    left, here, right = power[top - 1 : top + 2]
    return float((top + (left - right) / (2 * (left - 2 * here + right))) * rate / middle.size)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    samples: Samples
    rate: int
    tags: dict[str, str]


def decode(data: bytes, output: Output) -> Heard:
    """What a player makes of it."""
    format = output.format
    if format is PCM:
        return Heard((np.frombuffer(data, "<i2") / 32767).astype(np.float32), output.rate, {})
    options = {"sample_rate": str(output.rate)} if format in (MULAW, ALAW) else {}
    name = {"adts": "aac"}.get(format.container, format.container)
    with av.open(io.BytesIO(data), "r", format=name, options=options) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
        tags = {key.lower(): value for key, value in {**container.metadata, **stream.metadata}.items()}
        rate = stream.codec_context.sample_rate
    joined = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    scale = 32767 if joined.dtype == np.int16 else 1
    return Heard(np.asarray(joined, np.float32) / np.float32(scale), rate, tags)


def decoded_samples(data: bytes, output: Output) -> int:
    """How many come out of the beginning of a stream; none while a player does not know it yet."""
    try:
        heard = decode(data, output)
    except (av.FFmpegError, IndexError):
        return 0
    return round(heard.samples.size * output.rate / heard.rate)


def lag(heard: Samples, source: Samples) -> int:
    """By how many samples `heard` comes later."""
    size = 2 ** int(np.ceil(np.log2(heard.size + source.size)))
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(source, size)))
    late = int(likeness.argmax())
    return late - size if late > size // 2 else late


def likeness(heard: Samples, source: Samples) -> float:
    size = min(heard.size, source.size)
    return float(np.corrcoef(heard[:size], source[:size])[0, 1])


def at_rate(samples: Samples, source_rate: int, rate: int) -> Samples:
    return np.asarray(soxr.resample(samples, source_rate, rate), np.float32)


def true_peak_db(samples: Samples) -> float:
    return float(20 * np.log10(np.abs(soxr.resample(samples, 1, 4, quality="VHQ")).max()))
