"""Clients of a worker-tts server, or of a RunPod endpoint that runs it: `Client` blocks, `AsyncClient` awaits.

Ships to users by itself and imports nothing of the rooms; httpx is all it needs.
"""

from .answers import Answer, Speech
from .awaiting import AsyncClient, AsyncStream
from .blocking import Client, Stream
from .errors import (
    BadReference,
    Busy,
    Cancelled,
    Conflict,
    InvalidRequest,
    NotFound,
    NotSupported,
    ServerError,
    TimedOut,
    TTSError,
    Unauthorised,
    Unreachable,
)

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncStream",
    "BadReference",
    "Busy",
    "Cancelled",
    "Client",
    "Conflict",
    "InvalidRequest",
    "NotFound",
    "NotSupported",
    "ServerError",
    "Speech",
    "Stream",
    "TTSError",
    "TimedOut",
    "Unauthorised",
    "Unreachable",
]
