from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from basics.errors import Failure
from basics.events import Word
from models.card import Card, Preset
from speech.casting import Casting, language_of, suited
from voices.library import NoLibrary
from voices.voice import Voice

CARD = Card(
    "singer",
    "Singer",
    languages=("en-us", "en-gb", "fr"),
    rate=24_000,
    licence="MIT",
    presets=(Preset("anna", "Anna", "en-us"), Preset("bruce", "Bruce", "en-gb"), Preset("chloe", "Chloé", "fr")),
    blends=True,
)


class OneVoice:
    async def get(self, id: str) -> Voice | None:
        return Voice(id, "library", "sha", "en-us") if id == "mine" else None

    async def written(self, id: str, most_seconds: float) -> Voice | None:
        return await self.get(id)


async def take_in(reference: Any, transcript: str, field: str, card: Card) -> Voice:
    return Voice("inline", "inline", f"inline:{reference}", transcript=transcript)


def casting(card: Card = CARD, aliases: dict[str, str] | None = None) -> Casting:
    return Casting(card, OneVoice() if card.clones else NoLibrary(), aliases or {}, take_in)


async def refused(asked: Any, card: Card = CARD) -> Failure:
    with pytest.raises(Failure) as caught:
        await casting(card).voice(asked)
    return caught.value


async def test_without_a_name_the_models_first_preset_speaks() -> None:
    assert (await casting().voice(None)).id == "anna"


async def test_a_qualified_preset_is_that_preset() -> None:
    assert (await casting().voice("preset:bruce")).language == "en-gb"


async def test_an_alias_names_the_real_voice() -> None:
    assert (await casting(aliases={"alloy": "preset:bruce"}).voice("alloy")).id == "bruce"


async def test_an_unknown_voice_is_an_error_that_names_the_nearest() -> None:
    error = await refused("bruse")
    assert error.code == "unknown_voice"
    assert error.hint is not None
    assert "bruce" in error.hint


async def test_a_library_voice_is_not_looked_for_among_presets() -> None:
    assert (await refused("library:anna")).code == "unknown_voice"


async def test_a_library_voice_needs_a_model_that_clones() -> None:
    clones = replace(CARD, clones=True)
    assert (await casting(clones).voice("mine")).kind == "library"
    with pytest.raises(Failure, match="presets only"):
        await Casting(CARD, OneVoice(), {}, take_in).voice("mine")


async def test_a_reference_speaks_where_the_model_clones() -> None:
    voice = await casting(replace(CARD, clones=True)).voice({"reference": "volume:a.wav", "transcript": "Hello."})
    assert (voice.kind, voice.transcript) == ("inline", "Hello.")


async def test_a_reference_is_not_fetched_for_a_model_that_cannot_clone() -> None:
    error = await refused({"reference": "volume:a.wav"})
    assert error.code == "not_supported"
    assert error.hint is not None
    assert "models.list" in error.hint


@pytest.mark.parametrize("asked", ["anna(0.6)+bruce(0.4)", {"blend": {"bruce": 2, "anna": 3}}])
async def test_a_blend_is_the_same_however_it_is_written(asked: Any) -> None:
    blend = await casting().voice(asked)
    assert [(voice.id, round(share, 6)) for voice, share in blend.parts] == [("anna", 0.6), ("bruce", 0.4)]
    assert blend.digest == (await casting().voice("bruce(4)+anna(6)")).digest


@pytest.mark.parametrize(
    "asked",
    [
        "anna(0)+bruce(1)",
        "anna+",
        {"blend": {}},
        {"blend": {"anna": True}},
        {"blend": {"anna": -1}},
        {"blend": {"anna": float("nan")}},
        {"mix": {"anna": 1}},
        "volume:anna",
        "+".join(f"anna{number}" for number in range(9)),
    ],
)
async def test_a_voice_that_cannot_be_read_is_invalid(asked: Any) -> None:
    assert (await refused(asked)).code == "invalid_input"


async def test_a_blend_needs_a_model_that_blends() -> None:
    assert (await refused("anna(0.5)+bruce(0.5)", replace(CARD, blends=False))).code == "not_supported"


@pytest.mark.parametrize(
    ("asked", "preset", "spoken"),
    [(None, "bruce", "en-gb"), ("en", "bruce", "en-gb"), ("en", "anna", "en-us"), ("EN-GB", "bruce", "en-gb")],
)
async def test_the_language_is_the_one_asked_for_in_the_voices_own_accent(
    asked: str | None, preset: str, spoken: str
) -> None:
    assert language_of(asked, await casting().voice(preset), CARD) == spoken


@pytest.mark.parametrize(("asked", "preset"), [("de", "anna"), ("fr", "anna"), ("en-gb", "anna"), ("en", "chloe")])
async def test_a_language_that_model_or_preset_lacks_is_refused(asked: str, preset: str) -> None:
    with pytest.raises(Failure) as caught:
        language_of(asked, await casting().voice(preset), CARD)
    assert caught.value.code == "unsupported_language"


async def test_a_crosslingual_model_speaks_any_of_its_languages_in_any_voice() -> None:
    card = replace(CARD, crosslingual=True)
    assert language_of("fr", await casting(card).voice("anna"), card) == "fr"


def recorded(seconds: float, transcript: str = "", words: tuple[Word, ...] = ()) -> Voice:
    samples = np.zeros(round(seconds * 100), np.float32)
    return Voice("mine", "library", "sha", transcript=transcript, samples=samples, rate=100, words=words)


CLONES = replace(CARD, clones=True, reference=(6.0, 12.0))


def test_a_recording_that_is_too_short_for_the_model_is_refused_with_its_limit() -> None:
    with pytest.raises(Failure, match="singer needs a recording of at least 6 s") as caught:
        suited(recorded(3.0), CLONES)
    assert caught.value.code == "reference_too_short"


def test_conditioning_of_a_model_that_does_not_read_is_the_same_whatever_is_said() -> None:
    card = replace(CLONES, transcript="unread")
    one, other = (suited(recorded(8.0, text), card) for text in ("One.", "Two."))
    assert one.digest == other.digest == "sha"
    assert one.transcript == ""


def test_a_model_that_reads_conditions_anew_on_another_transcript() -> None:
    one, other = (suited(recorded(8.0, text), CLONES) for text in ("One.", "Two."))
    assert one.digest != other.digest
    assert one.transcript == "One."


def test_a_transcript_of_more_than_is_heard_is_not_read_unless_its_words_are_timed() -> None:
    assert suited(recorded(20.0, "All of it."), CLONES).transcript == ""
    timed = recorded(20.0, "All of it.", (Word("All", 0, 1), Word("of", 1, 2), Word("it.", 2, 3)))
    assert suited(timed, CLONES).words == timed.words


@pytest.mark.parametrize(("seconds", "transcript"), [(8.0, ""), (20.0, "All of it.")])
def test_a_model_that_must_know_what_is_said_says_so(seconds: float, transcript: str) -> None:
    with pytest.raises(Failure, match="must know what is said") as caught:
        suited(recorded(seconds, transcript), replace(CLONES, transcript="needed"))
    assert caught.value.code == "voice_unusable"
    assert "transcript" in str(caught.value.hint)


def test_chatterboxs_own_file_speaks_with_chatterbox_only() -> None:
    voice = Voice("mine", "library", "sha", conditionals={"gen.embedding": np.zeros((1, 192), np.float32)})
    with pytest.raises(Failure, match="does not read") as caught:
        suited(voice, CLONES)
    assert caught.value.code == "voice_unusable"
    assert suited(voice, replace(CLONES, conditionals=True)) is voice
