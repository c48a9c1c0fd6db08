"""A bucket as it is with a real S3 server: SeaweedFS on loopback."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from basics.errors import Failure
from store.bucket import PART_BYTES, Bucket, Patience
from store.objects import Conflict
from tests.store.seaweed import Seaweed, fetched, free_ports

pytestmark = pytest.mark.service

HASTY = Patience(connect_seconds=0.3, read_seconds=0.3, attempts=2)


class CancelledAfter:
    """A flag that is set from the given asking on."""

    def __init__(self, askings):
        self.left = askings

    def is_set(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture
def bucket(seaweed, bucket_name):
    return Bucket(seaweed.config(bucket_name))


def refused(call, *arguments, **named):
    with pytest.raises(Failure) as caught:
        call(*arguments, **named)
    said = str(caught.value.as_dict())
    assert "test-key" not in said
    assert "test-secret" not in said
    assert "http" not in said
    return caught.value


def uploads(seaweed, bucket):
    from store.client import connect

    client = connect(seaweed.config(bucket.config.bucket), 5, 30, 2, None)
    return client.list_multipart_uploads(Bucket=bucket.config.bucket).get("Uploads", [])


def test_what_was_put_is_given_back_with_its_etag(bucket):
    etag = bucket.put("a/b.bin", b"sound")
    assert bucket.get("a/b.bin") == (b"sound", etag)


def test_a_file_is_put_as_well_as_bytes(bucket, tmp_path):
    (tmp_path / "long").write_bytes(b"from disk")
    bucket.put("a", tmp_path / "long")
    assert bucket.get("a")[0] == b"from disk"


def test_an_empty_file_is_a_file(bucket):
    bucket.put("empty", b"")
    assert bucket.get("empty")[0] == b""


@pytest.mark.parametrize("key", ["späte Grüße/ü.wav", "a b+c&d=e?f#g%20.wav", "'quoted' \"twice\".mp3", "日本.opus"])
def test_keys_of_any_script_come_back_as_they_were(bucket, key):
    bucket.put(key, b"x", "audio/wav")
    assert [entry.key for entry in bucket.list()] == [key]
    assert fetched(bucket.presign(key, 60))[2] == b"x"


def test_a_presigned_url_gives_the_bytes_and_their_type_to_anyone(bucket):
    bucket.put("a/b.mp3", b"0123456789", "audio/mpeg")
    url = bucket.presign("a/b.mp3", 60)
    status, headers, body = fetched(url)
    assert (status, headers["Content-Type"], body) == (200, "audio/mpeg", b"0123456789")
    status, headers, body = fetched(url, Range="bytes=2-5")
    assert (status, headers["Content-Range"], body) == (206, "bytes 2-5/10", b"2345")


def test_a_presigned_url_names_its_expiry_and_opens_nothing_else(bucket):
    bucket.put("a", b"x")
    bucket.put("b", b"y")
    url = bucket.presign("a", 77)
    assert "X-Amz-Expires=77" in url
    assert "test-secret" not in url
    assert fetched(url.replace("/a?", "/b?"))[0] == 403


@pytest.mark.parametrize("seconds", [0, 604_801])
def test_a_url_that_no_store_would_honour_is_refused(bucket, seconds):
    assert refused(bucket.presign, "a", seconds).code == "misconfigured"


def test_listing_tells_key_size_etag_and_time_below_a_prefix(bucket):
    etag = bucket.put("voices/alice/voice.json", b"12345")
    bucket.put("voices/bob/voice.json", b"1")
    bucket.put("other", b"1")
    (entry,) = bucket.list("voices/a")
    assert (entry.key, entry.size, entry.etag) == ("voices/alice/voice.json", 5, etag)
    assert entry.modified > 1_600_000_000
    assert [entry.key for entry in bucket.list("voices/")] == ["voices/alice/voice.json", "voices/bob/voice.json"]
    assert list(bucket.list("none/")) == []


@pytest.mark.slow
def test_listing_goes_on_past_the_first_page(bucket):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: bucket.put(f"n/{number:04}", b""), range(1003)))
    assert [entry.key for entry in bucket.list("n/")] == [f"n/{number:04}" for number in range(1003)]


def test_deleting_twice_is_no_error(bucket):
    bucket.put("a", b"x")
    bucket.delete("a")
    bucket.delete("a")
    assert refused(bucket.get, "a").code == "not_found"


def test_the_prefix_is_before_every_key_and_shown_in_none(seaweed, bucket_name):
    inside = Bucket(seaweed.config(bucket_name, prefix="/team/one/"))
    inside.put("a", b"x")
    assert [entry.key for entry in inside.list()] == ["a"]
    assert [entry.key for entry in Bucket(seaweed.config(bucket_name)).list()] == ["team/one/a"]
    assert fetched(inside.presign("a", 60))[2] == b"x"
    inside.delete("a")
    assert list(inside.list()) == []


def test_no_key_leads_out_of_the_prefix(seaweed, bucket_name):
    Bucket(seaweed.config(bucket_name)).put("secret", b"x")
    inside = Bucket(seaweed.config(bucket_name, prefix="team"))
    for call in (inside.get, inside.delete, lambda key: inside.put(key, b"y"), lambda key: inside.presign(key, 60)):
        assert refused(call, "../secret").code == "reference_refused"


def test_more_than_the_limit_is_not_taken_in(bucket):
    bucket.put("a", b"x" * 1001)
    assert refused(bucket.get, "a", limit_bytes=1000).code == "reference_too_large"
    assert len(bucket.get("a", limit_bytes=1001)[0]) == 1001


def test_of_64_racing_writers_exactly_one_makes_the_object(bucket):
    start = threading.Barrier(64)

    def write(number):
        start.wait()
        try:
            return bucket.put("race", str(number).encode(), if_absent=True) and number
        except Conflict:
            return None

    with ThreadPoolExecutor(64) as pool:
        won = [number for number in pool.map(write, range(64)) if number is not None]
    assert len(won) == 1
    assert bucket.get("race")[0] == str(won[0]).encode()
    assert bucket.conditional


def test_an_object_is_replaced_only_by_who_saw_it_last(bucket):
    first = bucket.put("a", b"1")
    second = bucket.put("a", b"2", if_match=first)
    with pytest.raises(Conflict):
        bucket.put("a", b"3", if_match=first)
    assert bucket.get("a") == (b"2", second)


def test_a_long_file_goes_up_in_parts_and_comes_back_whole(seaweed, bucket, tmp_path):
    data = bytes(range(256)) * (PART_BYTES // 256) + b"tail"
    (tmp_path / "long.wav").write_bytes(data)
    etag = bucket.put("long.wav", tmp_path / "long.wav", "audio/wav")
    assert bucket.get("long.wav") == (data, etag)
    assert fetched(bucket.presign("long.wav", 60), Range="bytes=-4")[1]["Content-Type"] == "audio/wav"
    assert uploads(seaweed, bucket) == []


def test_a_long_file_keeps_to_conditions_too(seaweed, bucket):
    data = bytes(PART_BYTES + 1)
    bucket.put("long", data, if_absent=True)
    with pytest.raises(Conflict):
        bucket.put("long", data + b"2", if_absent=True)
    assert bucket.get("long")[0] == data
    assert uploads(seaweed, bucket) == []


def test_a_cancelled_upload_leaves_neither_object_nor_parts(seaweed, bucket):
    data = bytes(3 * PART_BYTES)
    assert refused(bucket.put, "long", data, cancel=CancelledAfter(2)).code == "cancelled"
    assert refused(bucket.put, "short", b"x", cancel=CancelledAfter(0)).code == "cancelled"
    assert list(bucket.list()) == []
    assert uploads(seaweed, bucket) == []


@pytest.mark.parametrize("changed", [{"accessSecret": "wrong"}, {"accessId": "nobody"}])
def test_wrong_keys_are_told_and_not_worth_another_try(seaweed, bucket_name, changed):
    failure = refused(Bucket(seaweed.config(bucket_name, **changed)).put, "a", b"x")
    assert (failure.code, failure.retryable) == ("storage_failed", False)
    assert "keys" in failure.message


def test_a_bucket_that_is_not_there_is_told(seaweed):
    absent = Bucket(seaweed.config("never-made"))
    failure = refused(absent.get, "a")
    assert (failure.code, failure.retryable) == ("storage_failed", False)
    assert "no such bucket" in failure.message


def test_a_closed_port_is_unreachable(seaweed):
    gone = Seaweed(free_ports(1)[0])
    failure = refused(Bucket(gone.config("books"), HASTY).put, "a", b"x")
    assert (failure.code, failure.retryable) == ("storage_failed", True)
    assert "cannot be reached" in failure.message


@pytest.mark.parametrize("call", ["put", "get", "list", "delete"])
def test_a_bucket_that_accepts_and_never_answers_fails_in_bounded_time(call):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        bucket = Bucket(Seaweed(silent.getsockname()[1]).config("books"), HASTY)
        calls = {
            "put": lambda: bucket.put("a", b"x"),
            "get": lambda: bucket.get("a"),
            "list": lambda: list(bucket.list()),
            "delete": lambda: bucket.delete("a"),
        }
        failure = refused(calls[call])
    assert (failure.code, failure.retryable) == ("storage_failed", True)
    assert "in time" in failure.message


def test_a_job_s_bucket_at_a_private_address_is_refused_and_never_spoken_to():
    with socket.create_server(("127.0.0.1", 0)) as watched:
        watched.settimeout(0)
        config = replace(Seaweed(watched.getsockname()[1]).config("books"), allow_hosts=())
        bucket = Bucket(config, HASTY)
        assert refused(bucket.check).code == "reference_refused"
        assert refused(bucket.put, "a", b"x").code == "reference_refused"
        with pytest.raises(BlockingIOError):
            watched.accept()


def test_a_name_that_turns_private_after_its_check_is_refused_at_the_connection(seaweed):
    answers = iter([["93.184.215.14"]] + [["127.0.0.1"]] * 9)
    config = replace(
        seaweed.config("books"), endpoint=replace(seaweed.config("books").endpoint, url="http://b.example:80")
    )
    bucket = Bucket(config, HASTY, resolve=lambda host, port: next(answers))
    bucket.check()
    assert refused(bucket.put, "a", b"x").code == "reference_refused"


def test_connections_go_to_the_number_that_was_judged(seaweed, bucket_name):
    """The name exists nowhere: only the number that the resolver gave can have been connected to."""
    url = f"http://store.example:{seaweed.port}"
    given = seaweed.config(bucket_name)
    config = replace(given, endpoint=replace(given.endpoint, url=url), allow_hosts=("store.example",))
    bucket = Bucket(config, resolve=lambda host, port: ["127.0.0.1"])
    bucket.check()
    bucket.put("a", b"x")
    assert Bucket(given).get("a")[0] == b"x"


def test_of_several_numbers_the_next_is_tried_when_one_does_not_answer(seaweed, bucket_name):
    url = f"http://store.example:{seaweed.port}"
    given = seaweed.config(bucket_name)
    config = replace(given, endpoint=replace(given.endpoint, url=url), allow_hosts=("store.example",))
    Bucket(config, resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"]).put("a", b"x")


def test_a_name_that_nobody_knows_is_unreachable():
    given = Seaweed(80).config("books")
    config = replace(given, endpoint=replace(given.endpoint, url="http://gone.example"))

    def nowhere(host, port):
        raise OSError

    bucket = Bucket(config, HASTY, resolve=nowhere)
    assert refused(bucket.check).code == "storage_failed"
    assert refused(bucket.put, "a", b"x").code == "storage_failed"


def test_a_proxy_of_the_environment_is_not_asked_about_a_job_s_bucket(bucket, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("AWS_PROFILE", "stray")
    bucket.put("a", b"x")
    assert bucket.get("a")[0] == b"x"


def test_a_closed_bucket_opens_again_when_it_is_used(bucket):
    bucket.put("a", b"x")
    bucket.close()
    bucket.close()
    assert bucket.get("a")[0] == b"x"
