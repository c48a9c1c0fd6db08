"""What a server refuses or fails with, as exceptions: one class for each family of codes.

TTSError
  InvalidRequest   what was asked is wrong: the field, the text, the language, the size
    BadReference   a recording or file that was named
  NotFound         no such voice, model, lexicon or job here
  NotSupported     known, but this server cannot do it
  Conflict         there is one already
  Unauthorised     the key, a licence or a consent is missing
  Busy             all places are taken; try again shortly
  TimedOut         it took too long
  Cancelled
  ServerError      a fault of the server's, or of its set-up
  Unreachable      nobody answered, or the answer broke off
"""

import json
from typing import Any


class TTSError(Exception):
    def __init__(
        self,
        message: str,
        *,
        code: str = "internal",
        field: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(" ".join(filter(None, (message, hint))))
        self.message = message
        self.code = code
        self.field = field
        """What of the request it is about."""
        self.hint = hint
        self.position = position
        """Of a character in the text."""
        self.retryable = retryable
        """Whether the same request may succeed later."""


class InvalidRequest(TTSError): ...


class BadReference(InvalidRequest): ...


class NotFound(TTSError): ...


class NotSupported(TTSError): ...


class Conflict(TTSError): ...


class Unauthorised(TTSError): ...


class Busy(TTSError): ...


class TimedOut(TTSError): ...


class Cancelled(TTSError): ...


class ServerError(TTSError): ...


class Unreachable(TTSError): ...


_FAMILIES: dict[type[TTSError], str] = {
    InvalidRequest: "invalid_input bad_markup text_too_long voice_unusable unsupported_language payload_too_large",
    BadReference: "reference_refused reference_unreachable reference_too_large reference_too_short reference_not_audio",
    NotFound: "not_found unknown_model model_not_in_this_worker unknown_voice unknown_lexicon",
    NotSupported: "not_supported not_installed",
    Conflict: "voice_exists key_conflict",
    Unauthorised: "unauthorised licence_not_accepted consent_required",
    Busy: "busy",
    TimedOut: "timed_out",
    Cancelled: "cancelled",
    ServerError: "storage_failed out_of_memory weights_missing misconfigured internal",
    Unreachable: "unreachable",
}
CLASSES = {code: family for family, codes in _FAMILIES.items() for code in codes.split()}

_STATUSES = {401: "unauthorised", 403: "unauthorised", 404: "not_found", 413: "payload_too_large", 429: "busy"}


def of_object(told: Any) -> TTSError | None:
    """The contract's error object, also as a JSON string. None for what is none."""
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return None
    if not isinstance(told, dict) or not isinstance(told.get("code"), str):
        return None
    return CLASSES.get(told["code"], ServerError)(
        str(told.get("message", "")),
        code=told["code"],
        field=told.get("field"),
        hint=told.get("hint"),
        position=told.get("position"),
        retryable=bool(told.get("retryable")),
    )


def of_reply(status: int, body: bytes) -> TTSError:
    """An HTTP answer that is none of ours to read otherwise."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    found = of_object(told.get("error")) if isinstance(told, dict) else None
    if found is not None:
        return found
    code = _STATUSES.get(status, "internal" if status >= 500 else "invalid_input")
    return CLASSES[code](f"The server answered {status}.", code=code, retryable=status == 429 or status >= 500)


def unreachable(why: str, *, retryable: bool = True) -> Unreachable:
    return Unreachable(why, code="unreachable", retryable=retryable)
