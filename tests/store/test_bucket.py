"""What a bucket does when the store answers as few do: a small store on loopback says exactly that."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from basics.errors import Failure
from store.bucket import PART_BYTES, Bucket, Patience
from store.bucket_config import BucketConfig
from store.objects import Conflict

HASTY = Patience(connect_seconds=2, read_seconds=2, attempts=1)


class Plain(BaseHTTPRequestHandler):
    """Keeps objects and knows no conditions."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]
    status = 0
    code = ""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status:
            return self.say(self.status, self.error())
        if "If-None-Match" in self.headers or "If-Match" in self.headers:
            return self.say(501, b"<Error><Code>NotImplemented</Code></Error>")
        self.kept[self.path] = body
        return self.say(200)

    def do_HEAD(self):
        self.say(200 if self.path in self.kept else 404)

    def do_GET(self):
        self.say(200, self.kept[self.path], cut=1)

    def do_POST(self):
        self.say(self.status or 500, self.error())

    def do_DELETE(self):
        self.say(self.status or 500, self.error())

    def error(self):
        return f"<Error><Code>{self.code}</Code><Message>about /private/path</Message></Error>".encode()

    def say(self, status, body=b"", cut=0):
        self.send_response(status)
        self.send_header("ETag", f'"{len(self.kept.get(self.path, b""))}"')
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])

    def log_message(self, *_):
        """Silent."""


@contextmanager
def served(**answers) -> Iterator[Bucket]:
    handler = type("Handler", (Plain,), {"kept": {}} | answers)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        host = f"127.0.0.1:{server.server_port}"
        given = {"endpointUrl": f"http://{host}", "accessId": "a", "accessSecret": "s", "bucketName": "books"}
        bucket = Bucket(BucketConfig.of_job(given, (host,)), HASTY)
        try:
            yield bucket
        finally:
            bucket.close()
            server.shutdown()
            thread.join()


def refused(call, *arguments):
    with pytest.raises(Failure) as caught:
        call(*arguments)
    assert "/private/path" not in str(caught.value.as_dict())
    return caught.value


def test_conditions_a_store_does_not_know_are_checked_before_the_put_and_it_says_so():
    with served() as bucket:
        assert bucket.conditional
        first = bucket.put("a", b"1", if_absent=True)
        assert not bucket.conditional
        with pytest.raises(Conflict):
            bucket.put("a", b"22", if_absent=True)
        bucket.put("a", b"22", if_match=first)
        with pytest.raises(Conflict):
            bucket.put("a", b"333", if_match="7")
        with pytest.raises(Conflict):
            bucket.put("b", b"1", if_match="7")


@pytest.mark.parametrize(
    ("status", "code", "said", "retryable"),
    [
        (507, "InsufficientStorage", "full", True),
        (503, "SlowDown", "status 503", True),
        (500, "InternalError", "status 500", True),
        (400, "InvalidArgument", "status 400", False),
        (403, "AccessDenied", "keys", False),
        (404, "NoSuchBucket", "no such bucket", False),
    ],
)
def test_what_a_store_answers_is_told_in_plain_words(status, code, said, retryable):
    with served(status=status, code=code) as bucket:
        failure = refused(bucket.put, "a", b"x")
    assert (failure.code, failure.retryable) == ("storage_failed", retryable)
    assert said in failure.message


def test_a_failed_abort_of_a_failed_upload_tells_the_first_failure():
    with served(status=507, code="InsufficientStorage") as bucket:
        assert "full" in refused(bucket.put, "a", bytes(PART_BYTES + 1)).message


def test_an_answer_that_breaks_off_is_not_taken_for_the_file():
    with served() as bucket:
        bucket.put("a", b"123456")
        failure = refused(bucket.get, "a")
    assert (failure.code, failure.retryable) == ("storage_failed", True)


R2 = "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"


@pytest.mark.parametrize(
    ("endpoint", "address", "region"),
    [
        ("https://s3.us-west-2.amazonaws.com", "https://books.s3.us-west-2.amazonaws.com/a/k.wav", "us-west-2"),
        ("https://books.s3.us-west-2.amazonaws.com", "https://books.s3.us-west-2.amazonaws.com/a/k.wav", "us-west-2"),
        ("https://books.s3.amazonaws.com", "https://books.s3.amazonaws.com/a/k.wav", "us-east-1"),
        (R2, f"{R2}/books/a/k.wav", "auto"),
        (f"{R2}/books", f"{R2}/books/a/k.wav", "auto"),
        ("https://books.nyc3.digitaloceanspaces.com", "https://books.nyc3.digitaloceanspaces.com/a/k.wav", "nyc3"),
        ("https://store.example.com/s3/", "https://store.example.com/s3/books/a/k.wav", "us-east-1"),
    ],
)
def test_a_url_names_the_bucket_once_and_is_signed_for_the_store_s_region(endpoint, address, region):
    given = {"endpointUrl": endpoint, "accessId": "a", "accessSecret": "s", "bucketName": "books"}
    url = Bucket(BucketConfig.of_job(given)).presign("a/k.wav", 60)
    assert url.partition("?")[0] == address
    assert f"%2F{region}%2Fs3%2Faws4_request" in url
    assert "X-Amz-Expires=60" in url
