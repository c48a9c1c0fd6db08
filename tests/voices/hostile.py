"""References that are broken, or meant to break: each with the code it must get, or `used` and what is said of it.

    python -m tests.voices.hostile FOLDER      writes those that are files, to try them on a deployed worker

`cases` makes them all, in a `Ground`: a volume, a shelf of a bucket, a web server that behaves badly.
"""

import base64
import gzip
import io
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from store.folder import Folder
from tests.voices.speaking import (
    RATE,
    beside,
    encoded,
    film,
    hum,
    music,
    noise,
    raised,
    sentence,
    silent,
    speech,
)
from tests.voices.web import Web, endless, moves, sends, status
from voices.fetching import Fetching
from voices.sources import Places, Shelf

HOSTS = {"inner.test": "10.0.0.7", "metadata.test": "169.254.169.254", "six.test": "fd00::1", "mapped.test": "::1"}
Made = bytes | Callable[["Ground"], Any]


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[["Ground"], Any]
    """What a caller would write as `reference`."""
    code: str = "used"
    says: str = ""
    """A word of a warning, or of the refusal."""


@dataclass(frozen=True)
class Ground:
    """Where references come from: `volume` holds `inside.wav`, and beside it lies `secret.wav`."""

    root: Path
    web: Web

    @property
    def volume(self) -> Path:
        return self.root / "volume"

    @property
    def marker(self) -> Path:
        """There only if code in a reference was run."""
        return self.root / "harmed"

    def lay(self) -> "Ground":
        (self.volume / "deep").mkdir(parents=True)
        whole = encoded(sentence(0))
        (self.root / "secret.wav").write_bytes(whole)
        (self.volume / "inside.wav").write_bytes(whole)
        Folder(self.root / "bucket").put("voices/alice.wav", whole)
        return self

    def places(self) -> Places:
        fetching = Fetching(most_bytes=20_000_000, allow_hosts=(self.web.host,), resolve=_resolve)
        shelf = Shelf("bucket", "below/here", Folder(self.root / "bucket"))
        return Places(fetching, self.volume, (shelf,))

    def serve(self, path: str, answer: Any) -> str:
        self.web.answers[path] = answer
        return self.web.url(path)

    def keep(self, name: str, data: bytes) -> str:
        (self.volume / name).write_bytes(data)
        return f"volume:{name}"

    def link(self, name: str, target: str) -> str:
        (self.volume / name).symlink_to(target)
        return f"volume:{name}"


def _resolve(host: str, port: int) -> Sequence[str]:
    if host not in HOSTS:
        raise OSError("no such name")
    return [HOSTS[host]]


def cases() -> list[Case]:
    return [*strings(), *addresses(), *paths(), *not_sounds(), *broken_sounds(), *odd_sounds(), *bad_recordings()]


def files() -> Iterator[tuple[str, Callable[[], bytes], str, str]]:
    """Those that are bytes: name, maker, code, what is said."""
    yield from _not_sound_files()
    yield from _broken_files()
    yield from _odd_files()
    yield from _recording_files()


def _as_text(made: Callable[[], bytes]) -> Callable[[Ground], str]:
    return lambda ground: base64.b64encode(made()).decode()


def _said(*given: Any) -> Callable[[Ground], Any]:
    return lambda ground: given[0]


def strings() -> Iterator[Case]:
    for name, given in {
        "absolute path": "/etc/passwd",
        "long absolute path": "/runpod-volume/voices/alice/reference",
        "relative path": "../../etc/passwd",
        "path of a home": "~/voices/alice.wav",
        "path of Windows": "C:\\voices\\alice.wav",
        "file name": "alice.wav",
        "a word": "alice",
        "name with NUL": "alice.wav\x00.txt",
        "unicode slashes": "..∕..∕etc∕passwd",
        "description": "a calm old man",
        "concat protocol": "concat:/etc/passwd|/etc/hostname",
        "subfile protocol": "subfile,,start,0,end,0,,:/etc/passwd",
        "file address": "file:///etc/passwd",
        "ftp address": "ftp://example.com/a.wav",
        "one slash": "https:/example.com/a.wav",
    }.items():
        yield Case(name, _said(given), "reference_refused", "volume:")
    for name, odd in {
        "nothing": "",
        "blanks": " \n ",
        "no string": 7,
        "an object": {"url": "https://example.com"},
        "an empty list": [],
        "six of them": ["volume:inside.wav"] * 6,
        "a list in a list": [["volume:inside.wav"]],
        "data-URL without base64": "data:audio/wav,RIFF",
        "broken base64": "A" * 300 + "*",
        "base64 of a wrong length": "A" * 301,
    }.items():
        yield Case(name, _said(odd), "reference_refused" if name == "broken base64" else "invalid_input")
    yield Case("lone surrogate", _said("volume:\ud800.wav"), "reference_unreachable")
    yield Case("too many characters", _said("A" * 30_000_000), "reference_too_large", "MB")


def addresses() -> Iterator[Case]:
    for name, given in {
        "plain http": "http://93.184.215.14/a.wav",
        "loopback": "https://127.0.0.1/a.wav",
        "loopback of six": "https://[::1]/a.wav",
        "loopback mapped": "https://[::ffff:127.0.0.1]/a.wav",
        "loopback as one number": "https://2130706433/a.wav",
        "loopback in hex": "https://0x7f.0.0.1/a.wav",
        "loopback shortened": "https://127.1/a.wav",
        "metadata": "https://169.254.169.254/latest/meta-data/",
        "metadata by name": "https://metadata.test/a.wav",
        "private by name": "https://inner.test/a.wav",
        "private of six by name": "https://six.test/a.wav",
        "loopback of six by name": "https://mapped.test/a.wav",
        "credentials": "https://user:password@93.184.215.14/a.wav",
        "confused parsers": "https://93.184.215.14\\@127.0.0.1/a.wav",
        "line break": "https://93.184.215.14/a\r\nHost: inner.test",
        "port nought": "https://93.184.215.14:0/a.wav",
    }.items():
        yield Case(f"address: {name}", _said(given), "reference_refused")
    yield Case("address: unknown name", _said("http://nowhere.test/a"), "reference_unreachable")
    yield Case(
        "redirect to metadata", lambda ground: ground.serve("/m", moves("http://169.254.169.254/")), "reference_refused"
    )
    yield Case(
        "redirect to a file", lambda ground: ground.serve("/f", moves("file:///etc/passwd")), "reference_refused"
    )
    yield Case("redirect in circles", lambda ground: ground.serve("/c", moves("/c")), "reference_unreachable")
    yield Case("endless body", lambda ground: ground.serve("/e", endless()), "reference_too_large")
    yield Case("missing page", lambda ground: ground.serve("/n", status(404)), "reference_unreachable", "404")
    yield Case("page in place of sound", lambda ground: ground.serve("/p", sends(PAGE)), "reference_not_audio")
    yield Case("compressed page", lambda ground: ground.serve("/g", sends(gzip.compress(PAGE))), "reference_not_audio")
    yield Case("web file that is fine", lambda ground: ground.serve("/ok", sends(encoded(sentence(0)))))


PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>\n" * 50


def paths() -> Iterator[Case]:
    for name, path in {
        "above": "../secret.wav",
        "above from below": "deep/../../secret.wav",
        "absolute": "/etc/hostname",
    }.items():
        yield Case(f"volume: {name}", _said(f"volume:{path}"), "reference_refused", "out of the volume")
    for name, path in {
        "NUL": "inside.wav\x00.txt",
        "nothing": "",
    }.items():
        yield Case(f"volume: {name}", _said(f"volume:{path}"), "reference_refused")
    for name, path in {
        "missing": "nobody.wav",
        "full-width dots": "．．/secret.wav",
        "percent dots": "%2e%2e/secret.wav",
        "long name": "a" * 5000,
    }.items():
        yield Case(f"volume: {name}", _said(f"volume:{path}"), "reference_unreachable")
    yield Case("volume: fine", _said("volume:deep/../inside.wav"))
    yield Case("volume: link inside", lambda ground: ground.link("near.wav", "inside.wav"))
    yield Case("volume: link out", lambda ground: ground.link("out.wav", "../secret.wav"), "reference_refused")
    yield Case("volume: link to all", lambda ground: ground.link("all", "/") + "/etc/hostname", "reference_refused")
    yield Case("volume: endless device", lambda ground: ground.link("zero", "/dev/zero"), "reference_refused")
    yield Case("volume: link to itself", lambda ground: ground.link("self", "self"), "reference_unreachable")
    yield Case("volume: folder", _said("volume:deep"), "reference_refused", "plain file")
    yield Case("volume: pipe that nobody writes", _pipe, "reference_refused", "plain file")
    yield Case("volume: a terabyte of nothing", _sparse, "reference_too_large", "MB")
    yield Case("volume: empty file", lambda ground: ground.keep("empty.wav", b""), "reference_not_audio", "empty")
    yield Case("volume: wrong extension", lambda ground: ground.keep("a.txt", _mp3(sentence(0))))
    yield Case("s3: fine", _said("s3://bucket/below/here/voices/alice.wav"))
    for name, key in {"another bucket": "other/below/here/a.wav", "above the prefix": "bucket/a.wav"}.items():
        yield Case(f"s3: {name}", _said(f"s3://{key}"), "reference_refused", "own bucket")
    for name, key in {
        "dots": "bucket/below/here/../../a.wav",
        "a prefix that only begins so": "bucket/below/hereafter/a.wav",
        "no key": "bucket",
        "NUL": "bucket/below/here/a\x00.wav",
    }.items():
        yield Case(f"s3: {name}", _said(f"s3://{key}"), "reference_refused")
    yield Case("s3: missing", _said("s3://bucket/below/here/nobody.wav"), "reference_unreachable")


def _pipe(ground: Ground) -> str:
    os.mkfifo(ground.volume / "pipe")
    return "volume:pipe"


def _sparse(ground: Ground) -> str:
    with (ground.volume / "sparse.wav").open("wb") as file:
        file.truncate(10**12)
    return "volume:sparse.wav"


def not_sounds() -> Iterator[Case]:
    for name, made, code, says in _not_sound_files():
        yield Case(name, _as_text(made), code, says)
    yield Case("pickle that writes a file", _pickle, "reference_not_audio")
    yield Case("playlist of our own server", _playlist_of_ours, "reference_not_audio")
    yield Case("list of our own file", _list_of_ours, "reference_not_audio")


class _Harm:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def _pickle(ground: Ground) -> str:
    return base64.b64encode(pickle.dumps(_Harm(ground.marker)) + bytes(300)).decode()


def _playlist_of_ours(ground: Ground) -> str:
    ground.web.answers["/stolen.ts"] = sends(b"")
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{ground.web.url('/stolen.ts')}\n#EXT-X-ENDLIST\n"
    return base64.b64encode(text.encode() * 3).decode()


def _list_of_ours(ground: Ground) -> str:
    text = f"ffconcat version 1.0\nfile '{ground.root / 'secret.wav'}'\n" + "# \n" * 100
    return base64.b64encode(text.encode()).decode()


def _not_sound_files() -> Iterator[tuple[str, Callable[[], bytes], str, str]]:
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


def broken_sounds() -> Iterator[Case]:
    for name, made, code, says in _broken_files():
        yield Case(name, _as_text(made), code, says)


def _broken_files() -> Iterator[tuple[str, Callable[[], bytes], str, str]]:
    whole = speech()
    yield "WAV cut in the middle", lambda: _half(encoded(whole)), "used", "cut off"
    yield "FLAC cut in the middle", lambda: _half(encoded(whole, container="flac", codec="flac")), "used", "damage"
    yield "MP3 cut in the middle", lambda: _half(_mp3(whole)), "used", ""
    yield "Ogg cut in the middle", lambda: _half(_opus(whole)), "used", ""
    yield (
        "M4A cut in the middle",
        lambda: _half(encoded(whole, container="ipod", codec="aac")),
        "reference_not_audio",
        "",
    )
    yield "MP3 with damage inside", lambda: _damaged(_mp3(whole)), "used", ""
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


def _mp3(samples: Any) -> bytes:
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


def odd_sounds() -> Iterator[Case]:
    for name, made, code, says in _odd_files():
        yield Case(name, _as_text(made), code, says)
    yield Case("data-URL that is fine", _data_url)
    yield Case("base64 with line breaks and no padding", _loose_base64)


def _data_url(ground: Ground) -> str:
    return "data:audio/x-anything;base64," + base64.b64encode(encoded(sentence(0))).decode()


def _loose_base64(ground: Ground) -> str:
    return base64.encodebytes(encoded(sentence(0))).decode().rstrip("=\n")


def _odd_files() -> Iterator[tuple[str, Callable[[], bytes], str, str]]:
    whole = sentence(0)
    yield "eight channels", lambda: encoded(np.stack([whole] * 8)), "used", ""
    yield "the voice on the last of eight channels", lambda: encoded(_alone(whole, 8)), "used", ""
    yield "channels of opposite phase", lambda: encoded(np.stack([whole, -whole])), "used", ""
    yield "192 kHz", lambda: encoded(np.repeat(whole, 8), rate=192_000), "used", ""
    yield "8 kHz telephone", lambda: encoded(whole[::3], 8000, codec="pcm_mulaw"), "used", "dull"
    yield "eight bits", lambda: encoded(whole, codec="pcm_u8"), "used", ""
    yield "sixty-four bits", lambda: encoded(whole, codec="pcm_f64le"), "used", ""
    yield "film with sound", lambda: film(whole), "used", ""
    yield "a megabyte of tags", lambda: _tagged(_mp3(whole)), "used", ""
    yield "rubbish at the end", lambda: encoded(whole, container="flac", codec="flac") + bytes(50_000), "used", ""
    yield "two MP3s in one file", lambda: _mp3(whole) + _mp3(sentence(1)), "used", ""
    yield "two rates in one Ogg", lambda: _opus(whole) + _opus(sentence(1)), "used", ""


def _alone(samples: Any, channels: int) -> Any:
    return np.stack([np.zeros_like(samples)] * (channels - 1) + [samples])


def _tagged(data: bytes) -> bytes:
    size = 1_000_000
    sevens = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + sevens + bytes(size) + data


def bad_recordings() -> Iterator[Case]:
    for name, made, code, says in _recording_files():
        yield Case(name, _as_text(made), code, says)


def _recording_files() -> Iterator[tuple[str, Callable[[], bytes], str, str]]:
    whole = speech()
    count = len(whole)
    yield "silence", lambda: encoded(np.zeros(5 * RATE, np.float32)), "reference_too_short", "2 s"
    yield "noise alone", lambda: encoded(noise(5 * RATE)), "reference_too_short", "2 s"
    yield "a tone", lambda: encoded(hum(5 * RATE, 440, 0.2)), "reference_too_short", "2 s"
    yield "clicks", lambda: encoded(_clicks()), "reference_too_short", "2 s"
    yield "one word", lambda: encoded(whole[: RATE * 9 // 10]), "reference_too_short", "2 s"
    yield "a word in a minute of silence", lambda: encoded(_lost(whole)), "reference_too_short", "2 s"
    yield "clipped", lambda: encoded(np.clip(whole * 8, -0.9, 0.9)), "used", "clipped"
    yield "clipped, then turned down, as MP3", lambda: _mp3(np.clip(whole * 8, -0.5, 0.5) * 0.4), "used", "clipped"
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


def write(folder: Path) -> Sequence[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, make, code, _) in enumerate(files()):
        path = folder / f"{number:02d} {name} ({code}).bin"
        path.write_bytes(make())
        written.append(path)
    return written


if __name__ == "__main__":
    print(f"{len(write(Path(sys.argv[1])))} files written; {len(cases())} cases in all")
