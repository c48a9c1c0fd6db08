"""What can go wrong, said once: a code, its HTTP status, whether trying again helps.

    Failure(code)
      the caller's      invalid_input bad_markup text_too_long unknown_model model_not_in_this_worker
                        licence_not_accepted unknown_voice voice_exists voice_unusable unsupported_language
                        not_supported unknown_lexicon reference_* consent_required key_conflict
                        payload_too_large not_found unauthorised
      the worker's      not_installed storage_failed out_of_memory weights_missing misconfigured internal
      the moment's      busy timed_out cancelled

Every room raises `Failure`; doors turn it into their own shape. A message names the field, the limit and
the way out, and never a path, an address with a query, a secret or a traceback.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    status: int
    """The HTTP status a server answers with."""
    retryable: bool
    """Whether the same request may succeed later, unchanged."""
    meaning: str


CODES: dict[str, Code] = {
    "invalid_input": Code(422, False, "A field is missing, unknown, of the wrong type or out of its range."),
    "bad_markup": Code(422, False, "The text's markup does not parse; `position` says where."),
    "text_too_long": Code(413, False, "The text is over the limit of characters."),
    "unknown_model": Code(404, False, "No model has this id or alias."),
    "model_not_in_this_worker": Code(404, False, "The model exists, but another image serves it."),
    "licence_not_accepted": Code(
        403, False, "The model's weights forbid commercial use; ACCEPT_LICENSES must name them."
    ),
    "unknown_voice": Code(404, False, "Neither the model nor the library has this voice."),
    "voice_exists": Code(409, False, "A voice with this id exists; `replace` overwrites it."),
    "voice_unusable": Code(422, False, "The voice cannot be used with this model."),
    "unsupported_language": Code(422, False, "The model or the voice does not speak this language."),
    "not_supported": Code(501, False, "This worker or model cannot do that; the message says who can."),
    "not_installed": Code(501, False, "An optional part that this needs is not in the image."),
    "unknown_lexicon": Code(404, False, "No lexicon is stored under this name."),
    "reference_refused": Code(403, False, "The reference's address, path or scheme is not allowed."),
    "reference_unreachable": Code(424, True, "The reference could not be fetched."),
    "reference_too_large": Code(413, False, "The reference is over the limit of megabytes or seconds."),
    "reference_too_short": Code(422, False, "The reference holds too little speech."),
    "reference_not_audio": Code(422, False, "The reference is not a sound that can be decoded."),
    "consent_required": Code(403, False, "This worker asks for a consent record with each voice."),
    "key_conflict": Code(409, False, "The key was used with another input."),
    "payload_too_large": Code(413, False, "The answer would not fit; the hint names what would."),
    "storage_failed": Code(502, True, "The bucket or volume did not take or give the file."),
    "not_found": Code(404, False, "There is no such thing."),
    "unauthorised": Code(401, False, "The key is missing or wrong."),
    "busy": Code(429, True, "All places are taken; try again shortly."),
    "out_of_memory": Code(503, True, "The card's memory is full."),
    "timed_out": Code(504, True, "The job ran out of time."),
    "cancelled": Code(499, False, "The job was cancelled."),
    "weights_missing": Code(503, False, "The model's files are not on this worker; the message says how to get them."),
    "misconfigured": Code(500, False, "The worker's settings are wrong or incomplete."),
    "internal": Code(500, True, "A fault of ours; the log has the details."),
}


class Failure(Exception):
    """A job, or a part of one, that ends without what was asked for."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.field = field
        self.hint = hint
        self.position = position
        self.retryable = CODES[code].retryable if retryable is None else retryable

    @classmethod
    def told(cls, parts: Any) -> "Failure | None":
        """What another worker of ours told as its error object. None for what is none."""
        if not isinstance(parts, dict) or parts.get("code") not in CODES:
            return None
        return cls(
            parts["code"],
            str(parts.get("message", "")),
            field=parts.get("field"),
            hint=parts.get("hint"),
            position=parts.get("position"),
            retryable=parts.get("retryable"),
        )

    @property
    def status(self) -> int:
        return CODES[self.code].status

    def as_dict(self) -> dict[str, Any]:
        """The error object of the contract: absent parts are left out, lone surrogates made printable."""
        parts: dict[str, Any] = {"code": self.code, "message": printable(self.message)}
        if self.field is not None:
            parts["field"] = printable(self.field)
        if self.hint is not None:
            parts["hint"] = printable(self.hint)
        if self.position is not None:
            parts["position"] = self.position
        parts["retryable"] = self.retryable
        return parts


def printable(text: str) -> str:
    """Text that any encoder takes: the SDK writes JSON with `ensure_ascii=False` and dies on a lone surrogate."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
