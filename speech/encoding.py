"""Any format, as a stream: samples go in piece by piece, and the bytes that come out join to one valid file.

With a file to write to, the header is made exact at the end instead, which a stream cannot do. An encoder is
used by one thread at a time. It knows nothing of jobs, events or where the bytes go.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, BinaryIO, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from basics.audio import Samples, to_s16
from speech.chain import Chain
from speech.formats import AAC, FLAC, MP3, OPUS, PCM, Output
from speech.stamp import Stamp

FLAC_BLOCK_SECONDS = 0.02
OPUS_PAGE_MICROSECONDS = 20_000


class Encoder:
    def __init__(
        self, output: Output, source_rate: int, stamp: Stamp | None = None, file: BinaryIO | None = None
    ) -> None:
        """`file`: an empty, seekable file. All bytes go there, and `feed` and `finish` return none."""
        self.output, self._source_rate = output, source_rate
        self._pipe = Pipe()
        self._bare = output.format is PCM and file is None
        self._container = av.open(
            self._pipe if file is None else file,
            "w",
            format=output.format.container,
            container_options=container_options(output, streaming=file is None),
        )
        self._closed = self._finished = False
        self._fed = self._encoded = self._released = self._page = 0
        try:
            self._stream = self._add_stream(stamp, streaming=file is None)
            self._container.start_encoding()
            self._resampler = Chain.resampler(source_rate, output.rate) if source_rate != output.rate else None
        except BaseException:
            self.close()
            raise

    @property
    def seconds(self) -> float:
        """The sound within the bytes handed out so far; at the end, exactly what was fed."""
        fed = self._fed / self._source_rate
        return fed if self._finished else min(fed, max(0, self._released) / self.output.rate)

    def feed(self, samples: Samples) -> bytes:
        """Everything that can leave by now, the header first."""
        self._fed += samples.size
        self._encode(self._resampler.feed(samples) if self._resampler else samples)
        return self._pipe.take()

    def finish(self) -> bytes:
        """What was held back, and the end of the file. The encoder is closed by it."""
        if self._resampler:
            self._encode(self._resampler.finish())
        self._mux(None)
        self._finished = True
        self.close()
        return self._pipe.take()

    def close(self) -> None:
        """Lets go, half-way too. Idempotent; a file that was being written is then of no use."""
        if not self._closed:
            self._closed = True
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add_stream(self, stamp: Stamp | None, *, streaming: bool) -> AudioStream:
        wanted = self.output
        options = codec_options(wanted, streaming=streaming)
        stream = self._container.add_stream(wanted.format.codec, rate=wanted.rate, layout="mono", options=options)
        assert isinstance(stream, AudioStream)
        stream.codec_context.format = wanted.format.sample
        stream.time_base = Fraction(1, wanted.rate)
        if wanted.bitrate:
            stream.codec_context.bit_rate = wanted.bitrate * 1_000
        if stamp and wanted.format.tagged:
            self._container.metadata.update(stamp.tags())
        return stream

    def _encode(self, samples: Samples) -> None:
        if self._bare:  # Beside an engine, frames and packets took more than twice as long.
            self._released += samples.size
            self._pipe.write(to_s16(samples).astype("<i2", copy=False).tobytes())
        elif samples.size:
            kind = self.output.format.sample
            row: NDArray[Any] = to_s16(samples) if kind == "s16" else np.ascontiguousarray(samples, np.float32)
            frame = av.AudioFrame.from_ndarray(row[None], format=kind, layout="mono")
            frame.sample_rate, frame.pts = self.output.rate, self._encoded
            self._encoded += samples.size
            self._mux(frame)

    def _mux(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._released += self._played(packet)
            self._container.mux(packet)

    def _played(self, packet: "av.Packet[AudioStream]") -> int:
        """Samples a decoder gives for this packet, once it is out. Of Opus it skips those before the first, and the
        muxer keeps each page until the next; of mp3 and ADTS it skips none, since nothing tells it to."""
        assert packet.time_base is not None
        ticks = packet.duration or 0
        if self.output.format is not OPUS:
            return round(ticks * packet.time_base * self.output.rate)
        page, self._page = self._page, round((ticks + min(0, packet.pts or 0)) * packet.time_base * self.output.rate)
        return page


class Pipe:
    """What a muxer writes to when it is not to seek: bytes that wait to be taken."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def container_options(output: Output, *, streaming: bool) -> dict[str, str]:
    """`bitexact` keeps random serial numbers and library versions out: the same sound is the same bytes."""
    options = {"fflags": "+bitexact+flush_packets" if streaming else "+bitexact"}
    if output.format is MP3:
        options |= {"id3v2_version": "3", "write_xing": "0" if streaming else "1"}
    if output.format is OPUS and streaming:
        options["page_duration"] = str(OPUS_PAGE_MICROSECONDS)
    return options


def codec_options(output: Output, *, streaming: bool) -> dict[str, str]:
    options = {"flags": "+bitexact"}
    # The efforts are a half to a third of the defaults' cost; by signal to noise, speech came out as well.
    if output.format is MP3:
        # With a reservoir a frame may need bytes of earlier ones, and a stream could not be entered.
        options |= {"reservoir": "0", "compression_level": "7"}
    if output.format is OPUS:
        # Free VBR runs over the bitrate that the estimate of bytes is made from.
        options |= {"vbr": "constrained", "compression_level": "5"}
    if output.format is AAC:
        options["aac_coder"] = "fast"
    if output.format is FLAC and streaming:
        options["frame_size"] = str(max(16, round(output.rate * FLAC_BLOCK_SECONDS)))
    return options


def write_file(
    chunks: Iterable[Samples], file: BinaryIO, output: Output, source_rate: int, stamp: Stamp | None = None
) -> float:
    """A whole file with an exact header, into an empty, seekable file. Returns the seconds it plays."""
    with Encoder(output, source_rate, stamp, file) as encoder:
        for chunk in chunks:
            encoder.feed(chunk)
        encoder.finish()
        return encoder.seconds
