"""What both clients share: the server's address, a request's body, what is wrong with a file that did not come."""

from typing import Any

import httpx

from .answers import Answer
from .conversation import LINES, NEVER_ARRIVED, UNANSWERED, Reply
from .errors import InvalidRequest, Unreachable, unreachable

RUNPOD = "https://api.runpod.ai/v2"
HERE = "http://127.0.0.1:8000"
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Of silence: a server that works says so every 15 seconds."""
PAGE = 500


def base(address: str) -> str:
    """Of the routes: a server's address, or one that already ends in `/v2/...`."""
    address = address.rstrip("/")
    return address if "/v2/" in address else f"{address}/v2/tts"


def headers(key: str) -> dict[str, str]:
    sent = {"Accept": f"{LINES}, application/json"}
    return sent | ({"Authorization": f"Bearer {key}"} if key else {})


def body(op: str, fields: dict[str, Any], s3: dict[str, Any] | None = None) -> dict[str, Any]:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"input": {"op": op, **given}} | ({} if s3 is None else {"s3Config": s3})


def reply_of(response: httpx.Response, content: bytes) -> Reply:
    after = response.headers.get("retry-after", "")
    return Reply(response.status_code, content, retry_after=float(after) if after.isdigit() else None)


def is_lines(response: httpx.Response) -> bool:
    return response.is_success and response.headers.get("content-type", "").startswith(LINES)


def lost(error: httpx.TransportError) -> Reply:
    never = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Reply(NEVER_ARRIVED if never else UNANSWERED)


def left_behind(answer: Answer) -> InvalidRequest:
    return InvalidRequest(
        "The file is too large for the endpoint's queue, and it was left on the endpoint's own volume.",
        code="payload_too_large",
        hint="Ask for a stream or a smaller format, or set up a bucket on the endpoint.",
    )


def not_fetched() -> Unreachable:
    return unreachable("The finished file could not be fetched from where the endpoint put it.")
