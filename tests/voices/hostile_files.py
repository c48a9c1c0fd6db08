"""Files that are broken, or meant to break: name, maker, the code it must get, and a word that is said of it."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.voices.speaking import RATE, beside, encoded, film, hum, music, noise, raised, sentence, silent, speech

File = tuple[str, Callable[[], bytes], str, str]


def files() -> Iterator[File]:
    yield from not_sounds()
    yield from broken()
    yield from odd()
    yield from recordings()


PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>\n" * 50


def not_sounds() -> Iterator[File]:
    made: dict[str, Callable[[], bytes]] = {
        "text": lambda: b"Good morning. " * 100,
        "page": lambda: PAGE,
        "JSON": lambda: b'{"error": "no such file", "trace": [' + b"1," * 200 + b"1]}",
        "random bytes": lambda: np.random.default_rng(1).bytes(200_000),
        "zeros": lambda: bytes(200_000),
        "ones": lambda: b"\xff" * 200_000,
        "zip bomb": _zip,
        "gzip bomb": lambda: gzip.compress(bytes(50_000_000)),
        "program": lambda: b"\x7fELF\x02\x01\x01" + bytes(500),
        "picture": lambda: _png(),
        "cover without a song": lambda: b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"APIC" + bytes(300),
        "film without sound": lambda: film(None),
        "HLS of a web server": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:1/a.ts\n" * 5,
        "HLS of a file": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n" * 5,
        "ffconcat of a file": lambda: b"ffconcat version 1.0\nfile /etc/hostname\n" + b"# \n" * 100,
        "DASH": lambda: (
            b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:1/'
            b"</BaseURL></MPD>" + b" " * 300
        ),
        "SDP": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9999 RTP/AVP 0\n" * 4,
        "subtitles": lambda: b"1\n00:00:00,000 --> 00:00:09,000\nGood morning\n\n" * 20,
        "script of a filter": lambda: b"sine=frequency=440" + b" " * 300,
        "MIDI": lambda: b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk" + bytes(300),
    }
    for name, make in made.items():
        yield name, make, "reference_not_audio", ""


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(50_000_000))
    return file.getvalue()


def _png() -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0)
        + bytes(99)
    )


def broken() -> Iterator[File]:
    whole = speech()
    yield "WAV cut in the middle", lambda: _half(encoded(whole)), "used", "cut off"
    yield "FLAC cut in the middle", lambda: _half(encoded(whole, container="flac", codec="flac")), "used", "damage"
    yield "MP3 cut in the middle", lambda: _half(mp3(whole)), "used", ""
    yield "Ogg cut in the middle", lambda: _half(_opus(whole)), "used", ""
    yield (
        "M4A cut in the middle",
        lambda: _half(encoded(whole, container="ipod", codec="aac")),
        "reference_not_audio",
        "",
    )
    yield "MP3 with damage inside", lambda: _damaged(mp3(whole)), "used", ""
    yield "WAV of a header alone", lambda: encoded(whole)[:78] + bytes(0), "reference_not_audio", ""
    yield (
        "WAV that promises four gigabytes",
        lambda: _wav(b"\x00\x40" * 100, claims=0xFFFFFFF0),
        "reference_too_short",
        "",
    )
    yield "WAV without channels", lambda: _wav(bytes(4000), channels=0), "reference_not_audio", ""
    yield "WAV of 65535 channels", lambda: _wav(bytes(400_000), channels=65535), "reference_not_audio", ""
    yield "WAV at 0 Hz", lambda: _wav(bytes(4000), rate=0), "reference_not_audio", ""
    yield "WAV at 1 Hz", lambda: _wav(bytes(4000), rate=1), "reference_not_audio", ""
    yield "WAV at four GHz", lambda: _wav(bytes(4000), rate=0xFFFFFFFF), "reference_not_audio", ""
    yield "WAV of no number", lambda: _floating(np.full(RATE * 3, np.nan, np.float32)), "reference_too_short", ""
    yield (
        "WAV of boundless numbers",
        lambda: _floating(np.full(RATE * 3, np.inf, np.float32)),
        "reference_too_short",
        "",
    )
    yield "WAV of floats as large as integers", lambda: _floating(sentence(0) * np.float32(32768)), "used", ""
    yield "WAV louder than anything", lambda: _floating(sentence(0) * np.float32(1e30)), "reference_not_audio", ""
    yield "WAV with holes of no number", lambda: _floating(_holed(sentence(0))), "used", ""
    yield "FLAC with a lie about its length", lambda: _lying_flac(whole), "used", ""
    yield "three hours of silent FLAC", lambda: silent(10_800, "flac", "flac"), "reference_too_large", "600 s"
    yield "three hours of silent Opus", lambda: silent(10_800, "ogg", "libopus"), "reference_too_large", "600 s"
    yield "ten minutes of eight silent channels at 192 kHz", _wide, "reference_too_large", "8 channels"


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _damaged(data: bytes) -> bytes:
    broken = bytearray(data)
    broken[len(data) // 3 : len(data) // 3 + 700] = bytes(700)
    return bytes(broken)


def mp3(samples: Any) -> bytes:
    return encoded(samples, container="mp3", codec="libmp3lame")


def _opus(samples: Any) -> bytes:
    return encoded(samples, container="ogg", codec="libopus")


def _wav(
    data: bytes, channels: int = 1, rate: int = RATE, claims: int | None = None, kind: int = 1, bits: int = 16
) -> bytes:
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", kind, channels, rate, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits)
    size = len(data) if claims is None else claims
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(size + 36, 0xFFFFFFFF)) + body


def _floating(samples: Any) -> bytes:
    return _wav(np.asarray(samples, "<f4").tobytes(), kind=3, bits=32)


def _holed(samples: Any) -> Any:
    holed = samples.copy()
    holed[::5000] = np.nan
    return holed


def _lying_flac(samples: Any) -> bytes:
    """Its header says 2**36 samples; there are ten seconds."""
    data = bytearray(encoded(samples, container="flac", codec="flac"))
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    return bytes(data)


def _wide() -> bytes:
    return silent(600, "flac", "flac", rate=192_000, channels=8)


def odd() -> Iterator[File]:
    whole = sentence(0)
    yield "eight channels", lambda: encoded(np.stack([whole] * 8)), "used", ""
    yield "the voice on the last of eight channels", lambda: encoded(_alone(whole, 8)), "used", ""
    yield "channels of opposite phase", lambda: encoded(np.stack([whole, -whole])), "used", ""
    yield "192 kHz", lambda: encoded(np.repeat(whole, 8), rate=192_000), "used", ""
    yield "8 kHz telephone", lambda: encoded(whole[::3], 8000, codec="pcm_mulaw"), "used", "dull"
    yield "eight bits", lambda: encoded(whole, codec="pcm_u8"), "used", ""
    yield "sixty-four bits", lambda: encoded(whole, codec="pcm_f64le"), "used", ""
    yield "film with sound", lambda: film(whole), "used", ""
    yield "a megabyte of tags", lambda: _tagged(mp3(whole)), "used", ""
    yield "rubbish at the end", lambda: encoded(whole, container="flac", codec="flac") + bytes(50_000), "used", ""
    yield "two MP3s in one file", lambda: mp3(whole) + mp3(sentence(1)), "used", ""
    yield "two rates in one Ogg", lambda: _opus(whole) + _opus(sentence(1)), "used", ""


def _alone(samples: Any, channels: int) -> Any:
    return np.stack([np.zeros_like(samples)] * (channels - 1) + [samples])


def _tagged(data: bytes) -> bytes:
    size = 1_000_000
    sevens = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + sevens + bytes(size) + data


def recordings() -> Iterator[File]:
    whole = speech()
    count = len(whole)
    yield "silence", lambda: encoded(np.zeros(5 * RATE, np.float32)), "reference_too_short", "2 s"
    yield "noise alone", lambda: encoded(noise(5 * RATE)), "reference_too_short", "2 s"
    yield "a tone", lambda: encoded(hum(5 * RATE, 440, 0.2)), "reference_too_short", "2 s"
    yield "clicks", lambda: encoded(_clicks()), "reference_too_short", "2 s"
    yield "one word", lambda: encoded(whole[: RATE * 9 // 10]), "reference_too_short", "2 s"
    yield "a word in a minute of silence", lambda: encoded(_lost(whole)), "reference_too_short", "2 s"
    yield "clipped", lambda: encoded(np.clip(whole * 8, -0.9, 0.9)), "used", "clipped"
    yield "clipped, then turned down, as MP3", lambda: mp3(np.clip(whole * 8, -0.5, 0.5) * 0.4), "used", "clipped"
    yield "noisy", lambda: encoded(beside(whole, noise(count), 10)), "used", "noisy"
    yield "music below the voice", lambda: encoded(beside(whole, music(count), 15)), "used", "music"
    yield "two speakers", lambda: encoded(np.concatenate([whole, raised(speech(4), -7)])), "used", "several"
    yield "hum of 50 Hz", lambda: encoded(whole + hum(count, 50.02, 0.02)), "used", "50 Hz"
    yield "hum of 60 Hz", lambda: encoded(whole + hum(count, 59.98, 0.02)), "used", "60 Hz"
    yield "an offset", lambda: encoded(whole * 0.5 + np.float32(0.3)), "used", "offset"
    yield "whispered into the far end", lambda: encoded(whole * np.float32(0.01)), "used", "quiet"


def _clicks() -> Any:
    out = np.zeros(5 * RATE, np.float32)
    out[:: RATE // 3] = 0.9
    return out


def _lost(samples: Any) -> Any:
    out = np.zeros(60 * RATE, np.float32)
    out[30 * RATE : 30 * RATE + RATE] = samples[RATE // 2 : RATE // 2 + RATE]
    return out
