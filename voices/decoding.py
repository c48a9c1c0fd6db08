"""Any sound file to float32 mono, in bounded time and memory.

Bytes go in, never a name: the library may open no other file or address, and only the containers and codecs
listed here are tried, so playlists and scripts of demuxers are no sound. What a file says of its length is not
believed: samples are counted while they are decoded, and work stops where the limit is passed.
"""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import av
import numpy as np
import soxr  # type: ignore[import-untyped]
from av.error import FFmpegError
from numpy.typing import NDArray

from basics.audio import Samples, join, peak
from basics.errors import Failure
from voices.mixing import Mixer
from voices.peaks import Peaks

FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
)
CODECS = frozenset(
    "aac aac_fixed aac_latm ac3 ac3_fixed adpcm_ima_qt adpcm_ima_wav adpcm_ms alac amrnb amrwb ape eac3 flac gsm "
    "gsm_ms libopus libvorbis mp1 mp1float mp2 mp2float mp3 mp3float opus tta vorbis wavpack wmav1 wmav2 "
    "pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le "
    "pcm_f32be pcm_f64le pcm_f64be".split()
)
HIGHEST_RATE = 48_000
"""What is above is brought down while decoding: no voice lives there, and memory does."""
RATES = range(4_000, 768_001)
MOST_CHANNELS = 64
FRAME_SAMPLES = 1_000_000
"""Of one frame. Some lossless codecs would unfold gigabytes from one packet."""
WORK = 8
"""How many channels at `HIGHEST_RATE` the longest recording may have: what decoding costs is bounded by it."""
LOUDEST = 1e5
"""A file of floats as large as sixteen-bit integers is played; one with larger numbers is refused."""
SAMPLES_TOGETHER = 480_000
"""Frames hold 20 ms, and sums over so little cost more than the decoding."""
JUDGED_SECONDS = 5
OPEN_ENDED = 0x7FFF0000
CUT_OFF = "the file is cut off; what is there was used"
DECLARING = {"wav", "flac", "aiff", "w64", "caf", "mov,mp4,m4a,3gp,3g2,mj2", "au"}
"""Containers that state their length rather than guess it from the bit rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    samples: Samples
    rate: int
    """Its own, or the highest that was asked for."""
    clipped: float
    """Share of samples that stand flat at the top."""
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def decode(
    data: bytes,
    most_seconds: float,
    cancel: threading.Event,
    field: str = "reference",
    highest_rate: int = HIGHEST_RATE,
) -> Sound:
    if not data:
        raise Failure("reference_not_audio", f"{field} is empty: it has no bytes.", field=field)
    options = {
        "format_whitelist": FORMATS,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "protocol_whitelist": "none",
        "max_streams": "64",
    }
    try:
        with av.open(io.BytesIO(data), "r", options=options, io_open=_open_nothing) as container:
            sound = _Listening(container, most_seconds, min(highest_rate, HIGHEST_RATE), cancel, field).whole()
    except (FFmpegError, ValueError, OSError, EOFError):
        raise _no_audio(field, "no sound file of a known kind, or one that is cut off before its sound") from None
    return replace(sound, warnings=(CUT_OFF, *sound.warnings)) if _is_cut_off(data) else sound


def _is_cut_off(data: bytes) -> bool:
    """A RIFF file that promises more bytes than there are; a stream's open-ended header promises the most."""
    promised = int.from_bytes(data[4:8], "little")
    return data[:4] == b"RIFF" and len(data) + 1 < promised + 8 < OPEN_ENDED


def _open_nothing(*_: object) -> NoReturn:
    raise PermissionError("a reference may not open another file")


def _no_audio(field: str, why: str) -> Failure:
    return Failure(
        "reference_not_audio", f"{field}: {why}.", field=field, hint="WAV, FLAC, MP3, M4A, Ogg and WebM all work."
    )


class _Listening:
    """One recording on its way from packets to samples."""

    def __init__(
        self, container: Any, most_seconds: float, highest_rate: int, cancel: threading.Event, field: str
    ) -> None:
        self._container, self._most_seconds, self._highest_rate = container, most_seconds, highest_rate
        self._cancel, self._field = cancel, field
        self._peaks = Peaks()
        self._waiting: list[NDArray[np.float32]] = []
        self._heard: list[Samples] = []
        self._count = self._waited = self._work = self._broken = 0
        self._rate = 0
        self._lane: _Lane | None = None

    def whole(self) -> Sound:
        stream = self._stream()
        for frame in self._frames(stream):
            self._add(frame)
        self._end_lane()
        if not self._count:
            raise _no_audio(self._field, "a sound file without a single sample that can be decoded")
        samples = join(self._heard)
        loudest = peak(samples)
        if loudest >= LOUDEST:
            raise _no_audio(self._field, "its samples are numbers far beyond any sound")
        if loudest > 1:
            samples /= np.float32(loudest)
        return Sound(samples, self._rate, self._peaks.share(), tuple(self._doubts(stream)))

    def _stream(self) -> Any:
        streams = self._container.streams.audio
        if not streams:
            raise _no_audio(self._field, "the file holds pictures or data, but no sound")
        stream = streams[0]
        codec = stream.codec_context
        if codec is None or codec.name not in CODECS:
            name = "an unknown codec" if codec is None else f"the codec {codec.name}"
            raise _no_audio(self._field, f"the sound is in {name}, which is not read here")
        codec.options = {"max_samples": str(FRAME_SAMPLES)}
        codec.thread_count = 1
        return stream

    def _frames(self, stream: Any) -> Iterator[Any]:
        """Frames of the packets that can be decoded. Damage in one packet costs that packet."""
        packets = self._container.demux(stream)
        while True:
            if self._cancel.is_set():
                raise Failure("cancelled", "The job was cancelled while its reference was read.", field=self._field)
            try:
                packet = next(packets, None)
            except (FFmpegError, EOFError):
                self._broken += 1
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except FFmpegError:
                self._broken += 1

    def _add(self, frame: Any) -> None:
        channels, rate = len(frame.layout.channels), frame.sample_rate
        if rate not in RATES or not 1 <= channels <= MOST_CHANNELS:
            raise _no_audio(self._field, f"{channels} channels at {rate} Hz is nothing that a voice is recorded in")
        self._work += frame.samples * channels
        if self._work > WORK * HIGHEST_RATE * self._most_seconds:
            raise self._too_long(f"{WORK} channels of {self._most_seconds:g} s at {HIGHEST_RATE} Hz")
        if self._lane is None or not self._lane.fits(rate, channels):
            self._end_lane()
            self._rate = self._rate or min(rate, self._highest_rate)
            self._lane = _Lane(rate, channels, self._rate)
        self._waiting.append(_floats(frame.to_ndarray(), channels))
        self._waited += frame.samples
        if self._waited * channels >= SAMPLES_TOGETHER:
            self._bring()

    def _bring(self) -> None:
        if self._lane is not None and self._waiting:
            block = np.concatenate(self._waiting, axis=1)
            self._waiting.clear()
            self._waited = 0
            self._peaks.add(block, self._lane.rate)
            self._keep(self._lane.bring(block))

    def _end_lane(self) -> None:
        if self._lane is not None:
            self._bring()
            self._keep(self._lane.rest())

    def _keep(self, samples: Samples) -> None:
        self._heard.append(samples)
        self._count += len(samples)
        if self._count > self._most_seconds * self._rate:
            raise self._too_long(f"{self._most_seconds:g} s")

    def _too_long(self, what: str) -> Failure:
        return Failure(
            "reference_too_large",
            f"{self._field} plays longer than {what}.",
            field=self._field,
            hint="One or two minutes are plenty; REFERENCE_SECONDS raises the limit.",
        )

    def _doubts(self, stream: Any) -> Iterator[str]:
        seconds = self._count / self._rate
        declared = float(stream.duration * stream.time_base) if stream.duration else 0.0
        if self._broken:
            yield f"damage in the file: {self._broken} of its packets could not be read and were left out"
        if self._container.format.name in DECLARING and 0 < seconds < 0.9 * declared - 0.1:
            yield f"the file ends after {seconds:.1f} s, though it says that it plays {declared:.1f} s"


class _Lane:
    """Blocks of one rate and channel count on their way to mono at the recording's rate."""

    def __init__(self, rate: int, channels: int, out_rate: int) -> None:
        self.rate, self._channels = rate, channels
        self._mixer = Mixer(channels, JUDGED_SECONDS * rate)
        self._resampler = None if rate == out_rate else soxr.ResampleStream(rate, out_rate, 1, "float32")

    def fits(self, rate: int, channels: int) -> bool:
        return (rate, channels) == (self.rate, self._channels)

    def bring(self, block: NDArray[np.float32]) -> Samples:
        return self._resampled(self._mixer.mix(block), last=False)

    def rest(self) -> Samples:
        return self._resampled(self._mixer.rest(), last=True)

    def _resampled(self, mono: Samples, last: bool) -> Samples:
        if self._resampler is None:
            return mono
        return np.asarray(self._resampler.resample_chunk(mono, last), np.float32)


def _floats(raw: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """One row a channel; what a file keeps as floats may go beyond one, but every number is finite."""
    rows = raw if raw.shape[0] == channels else raw.reshape(-1, channels).T
    match rows.dtype.kind:
        case "u":
            return (rows.astype(np.float32) - np.float32(128)) / np.float32(128)
        case "i":
            return rows.astype(np.float32) / np.float32(2 ** (8 * rows.dtype.itemsize - 1))
        case _:
            finite = np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
            return np.asarray(np.clip(finite, -LOUDEST, LOUDEST), np.float32)
