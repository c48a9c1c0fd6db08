import threading
from pathlib import Path

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from tests.voices.web import Web, certificate, endless, moves, sends, serving, status, trickles
from voices.fetching import Fetching, fetch

NEVER = threading.Event()


def failure(url: str, how: Fetching, cancel: threading.Event = NEVER) -> Failure:
    with pytest.raises(Failure) as caught:
        fetch(url, how, cancel)
    return caught.value


def test_a_file_of_an_allowed_host_arrives_whole() -> None:
    with serving({"/a.wav": sends(b"sound" * 50_000)}) as web:
        assert fetch(web.url("/a.wav?token=secret"), Fetching(allow_hosts=[web.host]), NEVER) == b"sound" * 50_000


def test_plain_http_is_refused_where_the_host_is_not_allowed() -> None:
    found = failure("http://voices.example/a.wav", Fetching(resolve=lambda host, port: ["93.184.215.14"]))
    assert found.code == "reference_refused"
    assert "https" in found.message


def test_the_certificate_is_that_of_the_name_though_the_number_is_dialled(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "voices.test")
    how = Fetching(allow_hosts=["voices.test"], resolve=lambda host, port: ["127.0.0.1"], context=client)
    with serving({"/a": sends(b"sound")}, server) as web:
        assert fetch(web.url("/a", "https", "voices.test"), how, NEVER) == b"sound"
        assert web.asked == [("/a", f"voices.test:{web.port}")]


@pytest.mark.parametrize("name", ["other.test", "voices.test"])
def test_a_certificate_of_another_name_or_of_nobody_is_not_trusted(tmp_path: Path, name: str) -> None:
    server, client = certificate(tmp_path, "voices.test")
    trusted = client if name == "other.test" else None
    how = Fetching(allow_hosts=[name], resolve=lambda host, port: ["127.0.0.1"], context=trusted)
    with serving({"/a": sends(b"sound")}, server) as web:
        found = failure(web.url("/a", "https", name), how)
    assert (found.code, found.retryable) == ("reference_unreachable", False)
    assert "certificate" in found.message
    assert web.asked == []


def test_a_name_that_changes_its_answer_is_asked_once_and_the_first_answer_dialled() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]]
    with serving({"/a": sends(b"sound")}) as web:
        how = Fetching(allow_hosts=["turning.test"], resolve=lambda host, port: answers.pop(0))
        assert fetch(web.url("/a", host="turning.test"), how, NEVER) == b"sound"
    assert len(answers) == 2


def test_a_name_with_one_private_number_among_public_ones_is_refused() -> None:
    found = failure("https://mixed.test/a", Fetching(resolve=lambda host, port: ["93.184.215.14", "10.0.0.1"]))
    assert found.code == "reference_refused"


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "https://inner.test/", "file:///etc/passwd", "//10.1.2.3/x"]
)
def test_a_redirect_is_judged_like_the_first_address(target: str) -> None:
    with serving({"/a": moves(target)}) as web:
        how = Fetching(allow_hosts=[web.host], resolve=lambda host, port: ["192.168.0.1"])
        assert failure(web.url("/a"), how).code == "reference_refused"


def test_five_redirects_are_followed_and_the_sixth_is_not() -> None:
    answers = {f"/{at}": moves(f"/{at + 1}", 307) for at in range(6)} | {"/5": sends(b"sound")}
    with serving(answers) as web:
        assert fetch(web.url("/0"), Fetching(allow_hosts=[web.host]), NEVER) == b"sound"
        web.answers["/5"] = moves("/6")
        found = failure(web.url("/0"), Fetching(allow_hosts=[web.host]))
    assert (found.code, found.retryable) == ("reference_unreachable", False)


def test_what_is_declared_too_large_is_not_even_read() -> None:
    with serving({"/a": sends(b"", Content_Length="51000000")}) as web:
        found = failure(web.url("/a"), Fetching(allow_hosts=[web.host]))
    assert found.code == "reference_too_large"
    assert "50 MB" in found.message


def test_what_grows_too_large_is_dropped_on_the_way() -> None:
    with serving({"/a": endless()}) as web:
        found = failure(web.url("/a"), Fetching(most_bytes=1_000_000, allow_hosts=[web.host]))
    assert found.code == "reference_too_large"


def test_a_file_that_ends_early_is_not_taken_for_whole() -> None:
    with serving({"/a": sends(b"half", Content_Length="8")}) as web:
        assert failure(web.url("/a"), Fetching(allow_hosts=[web.host])).code == "reference_unreachable"


@pytest.mark.parametrize(("code", "again"), [(404, False), (403, False), (429, True), (503, True)])
def test_what_the_server_answers_says_whether_to_try_again(code: int, again: bool) -> None:
    with serving({"/a": status(code)}) as web:
        found = failure(web.url("/a?signature=secret"), Fetching(allow_hosts=[web.host]))
    assert (found.code, found.retryable) == ("reference_unreachable", again)
    assert str(code) in found.message
    assert "secret" not in found.message


def test_a_server_that_trickles_is_left_when_the_time_is_up() -> None:
    clock = TurnedClock()

    def each_look_takes_a_second() -> float:
        clock.turn(1)
        return clock.now()

    with serving() as web:
        web.answers["/a"] = trickles(web)
        how = Fetching(allow_hosts=[web.host], total_seconds=10, now=each_look_takes_a_second)
        found = failure(web.url("/a"), how)
    assert (found.code, found.retryable) == ("reference_unreachable", True)
    assert "10 s" in found.message


def test_a_cancelled_fetch_stops_while_it_waits() -> None:
    cancel = threading.Event()

    def hang(request: object) -> None:
        cancel.set()
        web.stopped.wait(60)

    with serving() as web:
        web.answers["/a"] = hang
        assert failure(web.url("/a"), Fetching(allow_hosts=[web.host]), cancel).code == "cancelled"


def test_nobody_listening_is_unreachable_and_may_be_tried_again() -> None:
    with serving() as web:
        host, url = web.host, web.url("/a")
    found = failure(url, Fetching(allow_hosts=[host]))
    assert (found.code, found.retryable) == ("reference_unreachable", True)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/a": sends(b"sound")}) as web, serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert fetch(web.url("/a"), Fetching(allow_hosts=[web.host]), NEVER) == b"sound"
        assert proxy.asked == []


def test_a_path_with_blanks_in_another_script_is_asked_for() -> None:
    with serving({"/stimme%20%C3%A4.wav": sends(b"sound")}) as web:
        assert fetch(web.url("/stimme%20ä.wav"), Fetching(allow_hosts=[web.host]), NEVER) == b"sound"


def test_a_web_server_that_speaks_no_http_is_unreachable() -> None:
    def garbage(request: object) -> None:
        request.wfile.write(b"\x00\x01\x02 nothing that is http\r\n\r\n")  # type: ignore[attr-defined]

    with serving({"/a": garbage}) as web:
        assert isinstance(web, Web)
        assert failure(web.url("/a"), Fetching(allow_hosts=[web.host])).code == "reference_unreachable"
