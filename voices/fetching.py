"""A reference from the open internet: https, public addresses only, within bytes and seconds.

Each redirect is judged like the first address, and the connection goes to the very number that was judged, so
a name that changes its answer gains nothing; certificate, SNI and `Host` stay those of the name. It reads no
proxy and no credential from anywhere. It blocks, for a thread of its own, and knows nothing of sound.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from basics.addresses import Address, Resolver, check_public, is_allowed
from basics.errors import Failure

REDIRECTS = 5
MOVED = {301, 302, 303, 307, 308}
LATER = {408, 425, 429}
"""Refusals that another try may not meet."""
CHUNK = 64 * 1024
HEADER_CHARS = 1024
GLANCE = 0.2
"""Seconds between two looks at the cancel flag while nothing arrives."""


@dataclass(frozen=True, slots=True)
class Fetching:
    """How to fetch: whom, how much and for how long."""

    most_bytes: int = 50_000_000
    allow_hosts: Sequence[str] = ()
    resolve: Resolver | None = None
    context: ssl.SSLContext | None = None
    """Whose certificates are trusted; None for the system's."""
    connect_seconds: float = 5.0
    total_seconds: float = 60.0
    now: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file, and what its server said of asking for it again."""

    data: bytes = field(repr=False)
    etag: str = ""
    modified: str = ""
    may_be_kept: bool = True

    @property
    def condition(self) -> dict[str, str]:
        """Headers that ask for it only if it is another by now."""
        told = {"If-None-Match": self.etag, "If-Modified-Since": "" if self.etag else self.modified}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class _Watch:
    """One fetch: how long it may still take, and whether anybody wants it."""

    how: Fetching
    cancel: threading.Event
    field: str
    ends: float

    def left(self) -> float:
        if self.cancel.is_set():
            raise Failure("cancelled", "The job was cancelled while its reference was fetched.", field=self.field)
        left = self.ends - self.how.now()
        if left <= 0:
            seconds = f"{self.how.total_seconds:g} s"
            raise Failure("reference_unreachable", f"The reference did not arrive within {seconds}.", field=self.field)
        return left


def fetch(url: str, how: Fetching, cancel: threading.Event, field: str = "reference") -> bytes:
    return fetch_anew(url, how, cancel, field).data


def fetch_anew(
    url: str, how: Fetching, cancel: threading.Event, field: str = "reference", known: Fetched | None = None
) -> Fetched:
    """`known` itself where the server says that it is still the same."""
    watch = _Watch(how, cancel, field, how.now() + how.total_seconds)
    for _ in range(REDIRECTS + 1):
        address = _judged(url, watch)
        try:
            found = _ask(url, address, watch, known)
        except ssl.SSLCertVerificationError:
            raise _unreachable(watch, f"the certificate of {address.host} is not trusted", retryable=False) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(watch, f"{address.host} broke the connection ({type(error).__name__})") from None
        if isinstance(found, Fetched):
            return found
        url = urljoin(url, found)
    raise _unreachable(watch, f"more than {REDIRECTS} redirects", retryable=False)


def _judged(url: str, watch: _Watch) -> Address:
    how = watch.how
    watch.left()
    address = check_public(url, how.allow_hosts, how.resolve, watch.field)
    if address.scheme != "https" and not is_allowed(address.host, address.port, how.allow_hosts):
        raise Failure(
            "reference_refused",
            "Refused: only https:// addresses are fetched.",
            field=watch.field,
            hint="http:// works for hosts named in ALLOW_HOSTS.",
        )
    return address


def _ask(url: str, address: Address, watch: _Watch, known: Fetched | None) -> Fetched | str:
    """The file, or where it has moved to."""
    line = _connect(address, watch)
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(address.host, address.port, context=_trust(watch.how))
    else:
        connection = http.client.HTTPConnection(address.host, address.port)
    connection.auto_open = 0
    connection.sock = _Patient(line, watch)
    try:
        headers = {"User-Agent": "worker-tts", "Accept-Encoding": "identity"}
        connection.request("GET", _target(url), headers=headers | (known.condition if known else {}))
        with connection.getresponse() as answer:
            location = answer.getheader("Location")
            if answer.status in MOVED and location:
                return location
            if answer.status == 304 and known is not None and known.condition:
                return known
            told = (answer.getheader(name) or "" for name in ("ETag", "Last-Modified", "Cache-Control"))
            etag, modified, control = (value[:HEADER_CHARS] for value in told)
            return Fetched(_body(answer, watch), etag, modified, "no-store" not in control.lower())
    finally:
        connection.close()
        line.close()


def _target(url: str) -> str:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return quote((parts.path or "/") + query, safe="/?%:@!$&'()*+,;=~-._[]")


def _connect(address: Address, watch: _Watch) -> socket.socket:
    """To the first of the judged addresses that answers, and to no other."""
    last: OSError = OSError("no address")
    for number in address.addresses:
        try:
            line = socket.create_connection(
                (number, address.port), timeout=min(watch.how.connect_seconds, watch.left())
            )
        except OSError as error:
            last = error
            continue
        if address.scheme != "https":
            return line
        try:
            return _trust(watch.how).wrap_socket(line, server_hostname=address.host)
        except BaseException:
            line.close()
            raise
    raise last


def _trust(how: Fetching) -> ssl.SSLContext:
    return how.context or _of_the_system()


@cache
def _of_the_system() -> ssl.SSLContext:
    return ssl.create_default_context()


def _body(answer: http.client.HTTPResponse, watch: _Watch) -> bytes:
    if answer.status != 200:
        again = answer.status >= 500 or answer.status in LATER
        raise _unreachable(watch, f"the server answered {answer.status}", retryable=again)
    expected = answer.length
    if expected is not None and expected > watch.how.most_bytes:
        raise too_large(watch.how.most_bytes, watch.field)
    body = bytearray()
    while chunk := answer.read1(CHUNK):
        body += chunk
        if len(body) > watch.how.most_bytes:
            raise too_large(watch.how.most_bytes, watch.field)
        watch.left()
    if expected is not None and len(body) < expected:
        raise _unreachable(watch, "the connection ended before the file did")
    return bytes(body)


def too_large(most_bytes: int, field: str) -> Failure:
    return Failure(
        "reference_too_large",
        f"The reference is larger than {most_bytes / 1e6:g} MB.",
        field=field,
        hint="A few minutes of speech as FLAC, MP3 or Opus stay far below; REFERENCE_MB raises the limit.",
    )


def _unreachable(watch: _Watch, why: str, retryable: bool | None = None) -> Failure:
    return Failure(
        "reference_unreachable", f"The reference could not be fetched: {why}.", field=watch.field, retryable=retryable
    )


class _Patient:
    """A socket as http.client uses one, which looks at the clock and the cancel flag while it waits.

    A time limit of the socket itself begins anew with each byte, and a server that sends one now and then
    would be waited for as long as it likes.
    """

    def __init__(self, line: socket.socket, watch: _Watch) -> None:
        self._line, self._watch = line, watch

    def sendall(self, data: Any) -> None:
        self._line.settimeout(min(self._watch.how.connect_seconds, self._watch.left()))
        self._line.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Arriving(self._line, self._watch))

    def close(self) -> None:
        """Left to whoever opened the line."""


class _Arriving(io.RawIOBase):
    def __init__(self, line: socket.socket, watch: _Watch) -> None:
        self._line, self._watch = line, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._line.settimeout(min(GLANCE, self._watch.left()))
            try:
                return self._line.recv_into(buffer)
            except TimeoutError:
                continue
