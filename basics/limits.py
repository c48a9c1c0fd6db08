"""What goes through RunPod's pipe whole. Above these sizes it loses things without a word.

Everything is counted as it travels: a file as base64, four characters for every three bytes begun, and the rest
as JSON in ASCII, where a letter beyond it takes six bytes or twelve: never less than any other spelling takes.
"""

import json
from typing import Any

YIELD_BYTES = 500_000
"""The largest yield, as JSON. RunPod's stream loses what is over a million."""

INLINE_BYTES = 5_000_000
"""The largest file in an answer, as base64, where a bucket or a volume could take it instead."""

ANSWER_BYTES = 9_000_000
"""A final answer stays under this, as JSON. RunPod silently drops what is over ten million."""

WIDE_BYTES = 500_000_000
"""The largest file that a door of our own sends as a body: two and a half hours of WAV."""

REST_BYTES = 500_000
"""Kept free in an answer for all but the file: captions up to 256 kB, up to 1,000 segments, the rest."""


def base64_bytes(size: int) -> int:
    """What a file of `size` bytes takes in JSON, without the quotes."""
    return 4 * ((size + 2) // 3)


def json_bytes(value: Any) -> int:
    return len(json.dumps(value))


def room_bytes(limit_bytes: int, rest: Any) -> int:
    """How large a file may be beside `rest`, which holds an empty string in its place, so that both fit."""
    return max(0, limit_bytes - json_bytes(rest)) // 4 * 3


def fits_inline(size: int) -> bool:
    return base64_bytes(size) <= INLINE_BYTES


def fits_answer(size: int, rest_bytes: int = REST_BYTES) -> bool:
    """Whether a file fits into an answer whose other parts take `rest_bytes` as JSON."""
    return base64_bytes(size) + rest_bytes < ANSWER_BYTES
