"""Who speaks: what a job says of a voice becomes a Voice, and its conditioning for the engine at hand.

A string is an id, never a description: first the model's presets, then the library, then OpenAI's names, for each
of which a preset speaks. Whatever is not found is an error; nobody is ever replaced by somebody else.
"""

import difflib
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from basics.errors import Failure
from models.aliases import preset_for
from models.card import Card, Preset, akin
from voices.fitting import is_cut
from voices.library import Known
from voices.voice import Voice

SHARE = re.compile(r"^(?P<id>[^()\s]+)\((?P<share>\d+(?:\.\d+)?)\)$")
MAX_PARTS = 8

TakeIn = Callable[[Any, str, str, Card], Awaitable[Voice]]
"""From a reference, its transcript, the field's name and who will speak to a voice ready to speak with."""


@dataclass(frozen=True, slots=True)
class Casting:
    """Turns names into voices for one model."""

    card: Card
    library: Known
    aliases: dict[str, str]
    take_in: TakeIn

    async def voice(self, asked: str | dict[str, Any] | None, field: str = "voice") -> Voice:
        if asked is None:
            return self._default(field)
        if isinstance(asked, dict):
            return await self._object(asked, field)
        named = self.aliases.get(asked, asked)
        if "+" in named or SHARE.match(named):
            return await self._blend(_shares(named, field), field)
        return await self._named(named, field)

    def _default(self, field: str) -> Voice:
        if not self.card.presets:
            raise Failure("unknown_voice", f"{self.card.id} has no voice of its own: name one.", field=field)
        return as_voice(self.card.presets[0])

    async def _object(self, asked: dict[str, Any], field: str) -> Voice:
        if set(asked) == {"blend"} and isinstance(asked["blend"], dict):
            return await self._blend(_checked(asked["blend"], field), field)
        if "reference" in asked and set(asked) <= {"reference", "transcript"}:
            return await self._inline(asked["reference"], asked.get("transcript") or "", field)
        shapes = '{"blend": {"name": share, ...}} or {"reference": ..., "transcript"?: "..."}'
        raise Failure("invalid_input", f"A voice object is {shapes}.", field=field)

    async def _inline(self, reference: Any, transcript: str, field: str) -> Voice:
        if not self.card.clones:
            raise self._presets_only("not_supported", field)
        voice = await self.take_in(reference, transcript, f"{field}.reference", self.card)
        return suited(voice, self.card, f"{field}.reference")

    async def _named(self, name: str, field: str) -> Voice:
        kind, _, id = name.rpartition(":")
        if kind not in ("", "preset", "library"):
            raise Failure("invalid_input", "A voice is `id`, `preset:id` or `library:id`.", field=field)
        preset = self.card.preset(id) if kind != "library" else None
        if preset is not None:
            return as_voice(preset)
        voice = await self._kept(id) if kind != "preset" else None
        if voice is None:
            stand_in = preset_for(id, self.card) if kind == "" else None
            if stand_in is None:
                raise self._unknown(id, field)
            return as_voice(stand_in)
        if not self.card.clones:
            raise self._presets_only("voice_unusable", field)
        return suited(voice, self.card, field)

    async def _kept(self, id: str) -> Voice | None:
        if self.card.clones and self.card.transcript != "unread":
            return await self.library.written(id, self.card.reference[1])
        return await self.library.get(id)

    async def _blend(self, shares: dict[str, float], field: str) -> Voice:
        if not self.card.blends:
            raise Failure("not_supported", f"{self.card.id} does not blend voices; kokoro does.", field=field)
        whole = sum(shares.values())
        parts = tuple([(await self._named(name, field), share / whole) for name, share in sorted(shares.items())])
        text = "+".join(f"{voice.digest}({share:.6f})" for voice, share in parts)
        languages = {voice.language for voice, _ in parts}
        language = languages.pop() if len(languages) == 1 else ""
        name = "+".join(f"{voice.id}({share:.3g})" for voice, share in parts)
        return Voice(name, "blend", hashlib.sha256(text.encode()).hexdigest(), language, parts=parts)

    def _presets_only(self, code: str, field: str) -> Failure:
        hint = "`models.list` with `clones: true` names the models that clone."
        return Failure(code, f"{self.card.id} speaks with its presets only.", field=field, hint=hint)

    def _unknown(self, id: str, field: str) -> Failure:
        near = difflib.get_close_matches(id, [preset.id for preset in self.card.presets], n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"`models.get` lists the presets of {self.card.id}."
        return Failure("unknown_voice", f"{self.card.id} has no voice `{id[:64]}`.", field=field, hint=hint)


def suited(voice: Voice, card: Card, field: str = "voice") -> Voice:
    """A person's voice as far as this model takes notice of it. Raises what the model cannot speak with."""
    if voice.conditionals is not None:
        if not card.conditionals:
            message = f"`{voice.id}` is a file of Chatterbox's conditionals, which {card.id} does not read."
            hint = "chatterbox does; create a voice from the recording for the others."
            raise Failure("voice_unusable", message, field=field, hint=hint)
        return voice
    least, most = card.reference
    if voice.samples is not None and voice.seconds < least:
        message = (
            f"{card.id} needs a recording of at least {least:g} s; that of `{voice.id}` plays {voice.seconds:.1f} s."
        )
        raise Failure("reference_too_short", message, field=field, hint="Give a longer recording, or several.")
    if card.transcript == "unread":
        return replace(voice, transcript="", words=())
    if is_cut(voice, most) and not voice.words:
        voice = replace(voice, transcript="")
    if card.transcript == "needed" and voice.samples is not None and not voice.transcript:
        raise _unread(voice, card, field)
    read = hashlib.sha256(repr((voice.transcript, voice.words)).encode()).hexdigest()
    return replace(voice, digest=f"{voice.digest}+{read[:32]}")


def _unread(voice: Voice, card: Card, field: str) -> Failure:
    most = card.reference[1]
    message = f"{card.id} must know what is said in the recording of `{voice.id}`, and that is not written down"
    if is_cut(voice, most):
        message += f" for the {most:g} s that it hears of it"
    hint = f"Give a `transcript`, of a recording of at most {most:g} s; or install the recogniser, which finds it out."
    return Failure("voice_unusable", f"{message}.", field=field, hint=hint)


def as_voice(preset: Preset) -> Voice:
    return Voice(preset.id, "preset", f"preset:{preset.id}", preset.language)


def language_of(asked: str | None, voice: Voice, card: Card, field: str = "language") -> str:
    """The language to speak: the one asked for, else the voice's, else the model's, as the model spells it."""
    wanted = (asked or voice.language or card.languages[0]).lower()
    if voice.language and not card.crosslingual:
        if not akin(wanted, voice.language):
            message = f"The voice `{voice.id}` speaks {voice.language}, not `{wanted[:32]}`."
            raise Failure("unsupported_language", message, field=field)
        wanted = max(wanted, voice.language, key=len)
    spoken = next((known for known in card.languages if known == wanted), None)
    spoken = spoken or next((known for known in card.languages if akin(known, wanted)), None)
    if spoken is None:
        message = f"{card.id} speaks {', '.join(card.languages)}, not `{wanted[:32]}`."
        raise Failure("unsupported_language", message, field=field)
    return spoken


def _shares(text: str, field: str) -> dict[str, float]:
    """`a(0.6)+b(0.4)`; a name without a share has one share."""
    shares: dict[str, float] = {}
    for part in text.split("+"):
        match = SHARE.match(part.strip())
        name, share = (match["id"], float(match["share"])) if match else (part.strip(), 1.0)
        shares[name] = shares.get(name, 0.0) + share
    return _checked(shares, field)


def _checked(shares: dict[str, Any], field: str) -> dict[str, float]:
    numbers = all(isinstance(share, int | float) and not isinstance(share, bool) for share in shares.values())
    if not (numbers and 1 <= len(shares) <= MAX_PARTS and all(name for name in shares)):
        raise Failure("invalid_input", f"A blend names 1 to {MAX_PARTS} voices, each with a share.", field=field)
    if not all(0 < share <= 100 for share in shares.values()):
        raise Failure("invalid_input", "Each share of a blend is above 0 and at most 100.", field=field)
    return {name: float(share) for name, share in shares.items()}
