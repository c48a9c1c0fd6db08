"""References that are broken, or meant to break: each with the code it must get, or `used` and what is said of it.

    python -m tests.voices.hostile FOLDER      writes those that are files, to try them on a deployed worker

`cases` makes them all, in a `Ground`: a volume, a shelf of a bucket, a web server that behaves badly.
"""

import base64
import gzip
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.folder import Folder
from tests.voices import hostile_files
from tests.voices.hostile_files import PAGE, mp3
from tests.voices.speaking import (
    encoded,
    sentence,
)
from tests.voices.web import Web, endless, moves, sends, status
from voices.fetching import Fetching
from voices.sources import Places, Shelf

HOSTS = {"inner.test": "10.0.0.7", "metadata.test": "169.254.169.254", "six.test": "fd00::1", "mapped.test": "::1"}


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
    yield Case("volume: wrong extension", lambda ground: ground.keep("a.txt", mp3(sentence(0))))
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
    for name, made, code, says in hostile_files.not_sounds():
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


def broken_sounds() -> Iterator[Case]:
    for name, made, code, says in hostile_files.broken():
        yield Case(name, _as_text(made), code, says)


def odd_sounds() -> Iterator[Case]:
    for name, made, code, says in hostile_files.odd():
        yield Case(name, _as_text(made), code, says)
    yield Case("data-URL that is fine", _data_url)
    yield Case("base64 with line breaks and no padding", _loose_base64)


def _data_url(ground: Ground) -> str:
    return "data:audio/x-anything;base64," + base64.b64encode(encoded(sentence(0))).decode()


def _loose_base64(ground: Ground) -> str:
    return base64.encodebytes(encoded(sentence(0))).decode().rstrip("=\n")


def bad_recordings() -> Iterator[Case]:
    for name, made, code, says in hostile_files.recordings():
        yield Case(name, _as_text(made), code, says)


def write(folder: Path) -> Sequence[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, make, code, _) in enumerate(hostile_files.files()):
        path = folder / f"{number:02d} {name} ({code}).bin"
        path.write_bytes(make())
        written.append(path)
    return written


if __name__ == "__main__":
    print(f"{len(write(Path(sys.argv[1])))} files written; {len(cases())} cases in all")
