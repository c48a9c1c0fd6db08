"""The eight formats a caller can ask for: the rates and bitrates each has, and about how many bytes come out.

Plain data and the rules for choosing from it. It encodes nothing; `encoding.py` does, from what stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from basics.errors import Failure

LOWEST_RATE, HIGHEST_RATE = 8_000, 48_000
ANY_RATE = range(LOWEST_RATE, HIGHEST_RATE + 1)
LOWEST_BITRATE, HIGHEST_BITRATE = 16, 320

MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
MPEG1_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MPEG2_BITRATES = (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)

TAGS_BYTES = 1_000
"""Room for the container's header and the stamp, in an estimate."""
OVERSHOOT = 1.06
"""How far a codec was seen to run over its bitrate."""
OGG_STREAM_KILOBITS = 11.2
"""A page header of 28 bytes fifty times a second."""
LONGEST_PADDING_SECONDS = 0.3
"""What a codec adds around the sound: two frames and its delay."""
FLAC_SHARES = ((12_000, 0.95), (24_000, 0.85), (48_000, 0.7))
"""Up to each rate, of the plain samples' size: speech at -16 LUFS came out at 0.72, 0.61 and 0.4."""


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    container: str
    """The muxer's name in libavformat."""
    codec: str
    sample: str
    """How the codec takes samples: `s16`, `flt` or `fltp`."""
    content_type: str
    extension: str
    rates: Sequence[int] = ANY_RATE
    streamed: int | None = None
    """A stream's rate when none is asked."""
    unasked: int | None = None
    """The rate when none is asked; None: the engine's, or the nearest higher one there is."""
    tagged: bool = False
    """Whether it has a place for the stamp."""
    delay: int = 0
    """Samples that a decoder plays before the sound in a stream, which has no field to say so; files may have one."""
    wrapping: float = 0.0
    """kbit/s that come on top of the codec's own."""


WAV = Format("wav", "wav", "pcm_s16le", "s16", "audio/wav", "wav", tagged=True)
MP3 = Format(
    "mp3", "mp3", "libmp3lame", "fltp", "audio/mpeg", "mp3", MPEG_RATES, tagged=True, delay=1_105, wrapping=0.5
)
OPUS = Format("opus", "ogg", "libopus", "flt", "audio/ogg; codecs=opus", "ogg", OPUS_RATES, tagged=True, wrapping=1.0)
FLAC = Format("flac", "flac", "flac", "s16", "audio/flac", "flac", tagged=True)
# A frame is 1024 samples and the encoder looks one ahead: at 24 kHz it would hold 85 ms back, at 48 kHz it is 43 ms.
AAC = Format("aac", "adts", "aac", "fltp", "audio/aac", "aac", MPEG_RATES, streamed=48_000, delay=1_024, wrapping=5.0)
PCM = Format("pcm", "s16le", "pcm_s16le", "s16", "audio/pcm", "pcm")
MULAW = Format("mulaw", "mulaw", "pcm_mulaw", "s16", "audio/basic", "ulaw", unasked=8_000)
ALAW = Format("alaw", "alaw", "pcm_alaw", "s16", "audio/x-alaw-basic", "alaw", unasked=8_000)

FORMATS: dict[str, Format] = {each.name: each for each in (WAV, MP3, OPUS, FLAC, AAC, PCM, MULAW, ALAW)}
ALIASES = {"ogg": "opus"}


@dataclass(frozen=True, slots=True)
class Output:
    """What is to come out, settled and possible."""

    format: Format
    rate: int
    bitrate: int | None = None
    """kbit/s; None for formats without."""


def output_for(
    name: str, sample_rate: int | None, bitrate: int | None, engine_rate: int, *, streaming: bool = False
) -> Output:
    """What a request's `format`, `sample_rate` and `bitrate` come to, or a Failure that names the field."""
    format = format_for(name)
    rate = rate_for(format, sample_rate, engine_rate, streaming=streaming)
    return Output(format, rate, bitrate_for(format, rate, bitrate))


def format_for(name: str) -> Format:
    try:
        return FORMATS[ALIASES.get(name, name)]
    except KeyError:
        known = ", ".join([*FORMATS, *ALIASES])
        raise Failure("invalid_input", f"format must be one of {known}.", field="format") from None


def rate_for(format: Format, asked: int | None, engine_rate: int, *, streaming: bool = False) -> int:
    if asked is None:
        wanted = (format.streamed if streaming else None) or format.unasked or engine_rate
        return next((rate for rate in format.rates if rate >= wanted), format.rates[-1])
    if asked not in format.rates:
        message = f"sample_rate {asked} is not one that {format.name} has: {_named(format.rates)}."
        raise Failure("invalid_input", message, field="sample_rate")
    return asked


def bitrates(format: Format, rate: int) -> Sequence[int]:
    """The kbit/s this format really does at this rate; empty for formats that have no choice."""
    if format is MP3:
        if rate >= 32_000:
            return MPEG1_BITRATES
        return MPEG2_BITRATES if rate >= 16_000 else MPEG2_BITRATES[: MPEG2_BITRATES.index(64) + 1]
    if format is OPUS:
        return range(LOWEST_BITRATE, 256 + 1)
    if format is AAC:
        # The standard caps a channel's frame of 1024 samples at 6144 bits.
        return range(LOWEST_BITRATE, min(HIGHEST_BITRATE, 6 * rate // 1_000) + 1)
    return ()


def bitrate_for(format: Format, rate: int, asked: int | None) -> int | None:
    possible = bitrates(format, rate)
    if asked is None:
        return _unasked_bitrate(format, rate) if possible else None
    if not possible:
        message = f"bitrate cannot be chosen for {format.name}, only for mp3, opus and aac; leave it out."
        raise Failure("invalid_input", message, field="bitrate")
    if asked not in possible:
        message = f"bitrate {asked} is not one that {format.name} has at {rate} Hz: {_named(possible)} kbit/s."
        raise Failure("invalid_input", message, field="bitrate")
    return asked


def _unasked_bitrate(format: Format, rate: int) -> int:
    """Where one voice sounds clean."""
    if rate <= 12_000:
        return 24 if format is OPUS else 32
    if rate <= 24_000:
        return 48 if format is OPUS else 64
    return 64 if format is OPUS else 96


def estimate_bytes(format: Format, rate: int, bitrate: int | None, seconds: float, *, streaming: bool = False) -> int:
    """A little more than will come out, so that what is said to fit does fit."""
    if bitrate is not None:
        kilobits = bitrate * OVERSHOOT + (OGG_STREAM_KILOBITS if streaming and format is OPUS else format.wrapping)
        return round(TAGS_BYTES + (seconds + LONGEST_PADDING_SECONDS) * kilobits * 125)
    sample_bytes = 1.0 if format in (MULAW, ALAW) else 2.0
    share = next(share for highest, share in FLAC_SHARES if rate <= highest) if format is FLAC else 1.0
    return round((0 if format in (PCM, MULAW, ALAW) else TAGS_BYTES) + seconds * rate * sample_bytes * share)


def _named(values: Sequence[int]) -> str:
    if isinstance(values, range):
        return f"{values[0]} to {values[-1]}"
    return ", ".join(str(value) for value in values)
