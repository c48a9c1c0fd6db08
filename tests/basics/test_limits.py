import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basics.limits import (
    ANSWER_BYTES,
    INLINE_BYTES,
    REST_BYTES,
    YIELD_BYTES,
    base64_bytes,
    fits_answer,
    fits_inline,
    json_bytes,
    room_bytes,
)


def encoded(size):
    return base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1000, 1001])
def test_a_file_is_counted_as_its_base64_is_long(size):
    assert base64_bytes(size) == len(encoded(size))


def test_a_frame_filled_to_its_room_is_a_yield_and_three_bytes_more_are_not():
    rest = {"event": "audio", "seq": 7, "data": "", "start": 1.25, "duration": 0.5, "text": "Zürich 東京 😀"}
    room = room_bytes(YIELD_BYTES, rest)
    assert json_bytes(rest | {"data": encoded(room)}) <= YIELD_BYTES
    assert json_bytes(rest | {"data": encoded(room + 1)}) > YIELD_BYTES


def test_there_is_no_room_beside_what_is_over_the_limit_already():
    assert room_bytes(10, "x" * 20) == 0


def test_an_inlined_file_is_five_megabytes_of_base64_and_not_a_byte_more():
    largest = INLINE_BYTES // 4 * 3
    assert base64_bytes(largest) == INLINE_BYTES
    assert fits_inline(largest)
    assert not fits_inline(largest + 1)


def test_a_whole_answer_is_under_nine_megabytes_at_the_last_byte_that_fits():
    rest = {"audio": {"data": ""}, "segments": [{"text": "ü" * 100}]}
    rest_bytes = json_bytes(rest)
    largest = (ANSWER_BYTES - 1 - rest_bytes) // 4 * 3
    assert fits_answer(largest, rest_bytes)
    assert not fits_answer(largest + 1, rest_bytes)
    assert json_bytes({"audio": {"data": encoded(largest)}, "segments": rest["segments"]}) < ANSWER_BYTES


def test_the_estimate_before_synthesis_leaves_room_for_the_rest_of_the_answer():
    largest = (ANSWER_BYTES - 1 - REST_BYTES) // 4 * 3
    assert fits_answer(largest)
    assert not fits_answer(largest + 1)


@given(st.text())
def test_no_other_spelling_of_json_is_longer_than_what_is_counted(text):
    printable = text.encode("utf-8", "backslashreplace").decode()
    assert len(json.dumps(printable, ensure_ascii=False).encode()) <= json_bytes(printable)
