"""Events as posts: the contract's shapes, and no limit of the platform ever met."""

import base64
import json
import math
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Progress, Started
from basics.limits import ANSWER_BYTES, YIELD_BYTES
from operations.queue import Post, Talk, collected, done, job_of, parts, plain, size


async def road(*events: Event | Exception) -> AsyncGenerator[Event, None]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        yield event


async def said(*events: Event | Exception) -> list[Post]:
    return [post async for post in Talk(road(*events)).posts()]


def test_sound_is_told_as_the_contract_says() -> None:
    word = {"text": "Hello", "start": 1.5, "end": 1.9}
    [event] = parts(Audio(7, b"abc", 1.5, 0.5, "Hello", (word,)), 3)
    assert event == {
        "event": "audio", "seq": 3, "data": "YWJj", "start": 1.5, "duration": 0.5, "text": "Hello", "words": [word],
    }  # fmt: skip


async def test_each_event_has_its_name_and_fields() -> None:
    posts = await said(Started("m", "v", "en", 24_000, "wav", 2, 9), Progress(1, 2, 3.5), Done({"models": []}))
    assert [post.payload for post in posts] == [
        {
            "event": "started", "model": "m", "voice": "v", "language": "en", "sample_rate": 24_000, "format": "wav",
            "segments": 2, "characters": 9,
        },
        {"event": "progress", "segments_done": 1, "segments": 2, "seconds_of_audio": 3.5},
        {"event": "done", "models": []},
    ]  # fmt: skip
    assert [post.last for post in posts] == [False, False, True]


@given(
    bytes_=some.integers(0, 2_000_000),
    text=some.text(max_size=400),
    words=some.lists(some.floats(-1, 12), max_size=20),
)
@settings(max_examples=25, deadline=None)
def test_split_sound_joins_into_the_same_bytes_and_the_same_time(bytes_: int, text: str, words: list[float]) -> None:
    data = np.random.default_rng(bytes_).bytes(bytes_)
    event = Audio(0, data, 2.0, 8.0, text, tuple({"text": "w", "start": start} for start in words))
    split = list(parts(event, 5))
    assert all(size(part) <= YIELD_BYTES for part in split)
    assert b"".join(base64.b64decode(part["data"]) for part in split) == data
    assert [part["seq"] for part in split] == list(range(5, 5 + len(split)))
    assert sum(part["duration"] for part in split) == pytest.approx(8.0)
    assert "".join(part["text"] for part in split) == text
    assert len([word for part in split for word in part.get("words", ())]) == len(words)
    for before, after in pairwise(split):
        assert after["start"] == pytest.approx(before["start"] + before["duration"])


def test_each_part_of_split_sound_has_the_words_that_begin_in_it() -> None:
    words = tuple({"text": str(start), "start": start} for start in (0.0, 4.9, 5.1, 9.9))
    split = list(parts(Audio(0, bytes(700_000), 0.0, 10.0, "t", words), 0))
    for part in split:
        assert all(part["start"] <= word["start"] < part["start"] + part["duration"] for word in part["words"])


async def test_numbers_go_on_after_sound_was_split() -> None:
    posts = await said(Audio(0, bytes(800_000), 0, 1), Audio(1, b"x", 1, 1), Done({}))
    assert [post.payload.get("seq") for post in posts] == [0, 1, 2, 3, None]


def test_the_file_is_in_the_answer_only_after_the_post() -> None:
    answer = {"audio": {"format": "wav"}, "seed": 1}
    post = done(Done(answer, b"abc"))
    before = json.dumps(post.payload)
    payload = post.payload
    assert "YWJj" not in before
    assert post.complete() is payload
    assert payload == {"event": "done", "audio": {"format": "wav", "data": "YWJj"}, "seed": 1}
    assert answer == {"audio": {"format": "wav"}, "seed": 1}


def test_whatever_lifts_an_answer_over_a_post_comes_late_largest_first() -> None:
    post = done(Done({"items": ["x" * 700_000], "captions": "y" * 100_000, "zip": {"bytes": 1}}))
    assert post.payload.keys() == {"event", "captions", "zip"}
    assert size(post.payload) <= YIELD_BYTES
    assert post.complete().keys() == {"event", "items", "captions", "zip"}


@pytest.mark.parametrize("answer", [Done({"audio": {}}, bytes(6_750_001)), Done({"items": ["x" * 9_000_001]})])
def test_an_answer_that_the_platform_would_drop_is_refused_with_the_way_out(answer: Done) -> None:
    with pytest.raises(Failure) as refused:
        done(answer)
    assert refused.value.code == "payload_too_large"
    assert "delivery" in str(refused.value.hint)


def test_the_largest_answer_is_under_the_limit() -> None:
    post = done(Done({"audio": {}}, bytes(6_749_000)))
    assert size(post.complete()) <= ANSWER_BYTES


async def test_a_failure_is_an_event_and_then_the_error_as_a_string() -> None:
    event, error = await said(Failed(Failure("busy", "Full.", hint="Later.")))
    assert event.payload == {"event": "error", "code": "busy", "message": "Full.", "hint": "Later.", "retryable": True}
    assert error.failed
    assert json.loads(error.payload["error"]) == {k: v for k, v in event.payload.items() if k != "event"}


async def test_what_is_raised_is_told_like_what_is_said() -> None:
    raised, told = await said(Failure("busy", "Full.")), await said(Failed(Failure("busy", "Full.")))
    assert [post.payload for post in raised] == [post.payload for post in told]


async def test_a_fault_of_ours_is_internal_and_says_nothing_more() -> None:
    posts = await said(Started("m", "v", "en", 1, "wav", 1, 1), ValueError("/secret/path"))
    assert [post.payload.get("code") for post in posts] == [None, "internal", None]
    assert "secret" not in str(posts)


async def test_a_road_that_ends_without_an_answer_fails_the_job() -> None:
    assert (await said(Progress(1, 1, 1.0)))[-1].failed


async def test_a_fault_after_the_answer_does_not_take_it_back() -> None:
    posts = await said(Done({}), ValueError("late"))
    assert [post.payload for post in posts] == [{"event": "done"}]


async def test_an_answer_that_is_no_json_is_a_fault_of_ours() -> None:
    posts = await said(Done({"voice": object()}))
    assert [post.payload.get("code") for post in posts] == ["internal", None]


async def test_a_field_that_the_sdk_takes_for_a_failure_is_caught_here() -> None:
    assert (await said(Done({"error": "x"})))[-1].failed


anything: Any = some.recursive(
    some.none() | some.booleans() | some.floats() | some.integers() | some.text() | some.binary() | some.just("\ud800"),
    lambda inner: some.lists(inner) | some.dictionaries(some.text() | some.just("\udfff"), inner),
)


@given(anything)
@settings(deadline=None)
def test_whatever_an_answer_holds_any_encoder_takes_it(value: Any) -> None:
    json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode()


def test_numpy_numbers_and_bytes_become_json() -> None:
    assert plain({"a": np.float32(0.5), "b": np.int64(3), "c": b"\xff", "d": (math.nan, math.inf)}) == {
        "a": 0.5, "b": 3, "c": "/w==", "d": [None, None],
    }  # fmt: skip


def test_the_jobs_own_bucket_is_taken_from_beside_or_inside_the_input() -> None:
    beside = job_of({"id": "1", "input": {"text": "x"}, "s3Config": {"a": 1}})
    inside = job_of({"id": "1", "input": {"text": "x", "s3Config": {"a": 1}}})
    assert beside.s3 == inside.s3 == {"a": 1}
    assert beside.input == inside.input == {"text": "x"}


async def test_without_a_stream_sound_stands_before_the_answer() -> None:
    talk = Talk(road(Started("m", "v", "en", 1, "wav", 1, 1), Audio(0, b"abc", 0, 1), Done({"seed": 1})))
    answer = await collected(talk.posts())
    assert [event["event"] for event in answer] == ["audio", "done"]  # type: ignore[index]


async def test_without_a_stream_too_much_sound_is_refused() -> None:
    talk = Talk(road(*(Audio(seq, bytes(360_000), seq, 1) for seq in range(30)), Done({})))
    answer = await collected(talk.posts())
    assert isinstance(answer, dict)
    assert json.loads(answer["error"])["code"] == "payload_too_large"
