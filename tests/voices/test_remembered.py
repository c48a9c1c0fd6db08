import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from tests.voices.web import Web, serving
from voices.fetching import Fetching
from voices.remembered import Remembered

NEVER = threading.Event()


class Page:
    """A file that a server tells again only to whoever has another one."""

    def __init__(self, data: bytes, **headers: str) -> None:
        self.data, self.headers = data, headers
        self.sent: list[int] = []

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        same = request.headers.get("If-None-Match") == self.headers.get("ETag", "nothing")
        same = same or request.headers.get("If-Modified-Since") == self.headers.get("Last-Modified", "nothing")
        self.sent.append(304 if same else 200)
        request.send_response(self.sent[-1])
        for name, value in self.headers.items():
            request.send_header(name.replace("_", "-"), value)
        if not same:
            request.send_header("Content-Length", str(len(self.data)))
        request.end_headers()
        if not same:
            request.wfile.write(self.data)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def fetched(memory: Remembered, web: Web, path: str = "/a") -> bytes:
    return memory.fetch(web.url(path), Fetching(allow_hosts=[web.host]), NEVER, "voice.reference")


def test_for_a_little_nobody_is_asked_again(web: Web) -> None:
    web.answers["/a"] = page = Page(b"one")
    clock = TurnedClock()
    memory = Remembered(seconds=30, now=clock.now)
    assert [fetched(memory, web) for _ in range(3)] == [b"one"] * 3
    assert page.sent == [200]
    page.data = b"two"
    clock.turn(31)
    assert fetched(memory, web) == b"two"


@pytest.mark.parametrize("header", [{"ETag": '"1"'}, {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}])
def test_what_is_the_same_does_not_come_again(web: Web, header: dict[str, str]) -> None:
    web.answers["/a"] = page = Page(b"one", **header)
    clock = TurnedClock()
    memory = Remembered(seconds=30, now=clock.now)
    for _ in range(3):
        assert fetched(memory, web) == b"one"
        clock.turn(31)
    assert page.sent == [200, 304, 304]
    web.answers["/a"] = Page(b"two", ETag='"2"')
    assert fetched(memory, web) == b"two"


def test_what_its_server_wants_forgotten_is_forgotten(web: Web) -> None:
    web.answers["/a"] = page = Page(b"one", **{"Cache-Control": "private, No-Store"})
    memory = Remembered()
    assert [fetched(memory, web) for _ in range(2)] == [b"one"] * 2
    assert page.sent == [200, 200]


def test_over_its_budget_the_oldest_goes(web: Web) -> None:
    for path in ("/a", "/b", "/c"):
        web.answers[path] = Page(path.encode() * 50)
    memory = Remembered(budget_bytes=250)
    for path in ("/a", "/b", "/a", "/c", "/a", "/b"):
        fetched(memory, web, path)
    assert [path for path, _ in web.asked] == ["/a", "/b", "/c", "/b"]


def test_another_query_is_another_file(web: Web) -> None:
    web.answers["/a"] = page = Page(b"one")
    memory = Remembered()
    fetched(memory, web, "/a?key=mine")
    fetched(memory, web, "/a?key=yours")
    assert page.sent == [200, 200]


def test_many_who_want_the_same_at_once_fetch_it_once(web: Web) -> None:
    web.answers["/a"] = page = Page(b"one")
    memory = Remembered()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: fetched(memory, web), range(8))) == [b"one"] * 8
    assert page.sent == [200]


def test_what_fails_is_not_remembered_and_whoever_waits_can_be_cancelled(web: Web) -> None:
    memory = Remembered()
    with pytest.raises(Failure) as caught:
        fetched(memory, web, "/missing")
    assert caught.value.code == "reference_unreachable"
    web.answers["/missing"] = Page(b"one")
    assert fetched(memory, web, "/missing") == b"one"
    cancelled = threading.Event()
    cancelled.set()
    with memory._alone("x", NEVER, "voice"), pytest.raises(Failure) as stopped:
        memory.fetch("x", Fetching(), cancelled, "voice")
    assert stopped.value.code == "cancelled"
