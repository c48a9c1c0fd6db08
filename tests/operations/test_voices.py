"""The voice operations through a whole house that speaks with Tone, which sings the note of a recording."""

import asyncio
import base64
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples, rms, to_db
from basics.errors import Failure
from basics.settings import Settings
from models.catalogue import Catalogue
from models.engines.tone import Score, Tone
from models.groups import table
from operations import voices as operations
from operations.house import House
from tests.houses import decoded, done, failed, left, standing
from tests.voices.recordings import RATE, hertz, record, reference
from tests.voices.speaking import encoded, speech
from tests.voices.web import sends, serving

TEXT = "A line that is long enough to be measured, and then some more of it."


@cache
def recording(sentences: int = 1) -> str:
    return base64.b64encode(encoded(speech(sentences))).decode()


async def created(house: House, id: str = "alice", **fields: Any) -> dict[str, Any]:
    """By the operation, from real speech."""
    asked = {"op": "voices.create", "id": id, "reference": recording(), **fields}
    return dict((await done(house, asked)).answer["voice"])


async def kept(house: House, id: str = "alice", note: float = 300.0, **parts: Any) -> None:
    """Straight into the library: a pure note is no speech, and Tone repeats it exactly."""
    await house.library.create(record(id, **parts), reference(note))


async def sung(house: House, **asked: Any) -> Samples:
    last = await done(house, {"text": TEXT, "seed": 1, **asked})
    assert last.data is not None
    samples, rate = decoded(last.data)
    assert rate == RATE
    return samples


class Prepared:
    """Whose conditioning an engine derived; a preset's, with which it warms up, does not count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.voices: list[str] = []
        plain = Tone.prepare

        def prepare(engine: Tone, voice: Any) -> Any:
            self.voices += [voice.id] if voice.kind != "preset" else []
            return plain(engine, voice)

        monkeypatch.setattr(Tone, "prepare", prepare)


async def test_a_new_voice_tells_what_its_recording_is_worth(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        voice = await created(house, tags=["warm", "warm"], transcript=" Good morning. ", language="en_GB")
    assert set(voice["quality"]) == {"score", "snr_db", "clipping", "speech_seconds", "warnings"}
    assert (voice["transcript"], voice["transcript_state"]) == ("Good morning.", "given")
    assert (voice["tags"], voice["language"], voice["name"]) == (["warm"], "en-gb", "alice")
    assert voice["duration"] > 2
    assert len(voice["sha256"]) == 64


async def test_without_an_id_the_name_makes_one(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        answer = await done(house, {"op": "voices.create", "name": "Alice Müller", "reference": recording()})
        assert answer.answer["voice"]["id"] == "alice-m-ller"
        assert answer.answer["voice"]["transcript_state"] == "none"


async def test_a_library_voice_speaks_with_a_model_that_clones(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, note=300)
        sound = await sung(house, voice="alice")
        assert abs(hertz(sound[RATE : 2 * RATE]) - 300) <= 1
        assert np.array_equal(await sung(house, voice="library:alice"), sound)


async def test_a_model_that_cannot_clone_says_so(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house)
        error = (await failed(house, {"text": TEXT, "voice": "alice", "model": "hibari"})).error
    assert error.code == "voice_unusable"
    assert "models.list" in str(error.hint)


async def test_voices_of_the_library_blend_with_presets(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, note=300)
        sound = await sung(house, voice="library:alice(0.5)+preset:sine(0.5)")
    assert abs(hertz(sound[RATE : 2 * RATE]) - 370) <= 1


async def test_a_second_worker_derives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = Prepared(monkeypatch)
    async with standing(tmp_path) as house:
        await kept(house)
        first = await sung(house, voice="alice")
        await sung(house, voice="alice")
    async with standing(tmp_path) as house:
        assert np.array_equal(await sung(house, voice="alice"), first)
        answer = (await done(house, {"op": "voices.get", "id": "alice"})).answer
    assert prepared.voices == ["alice"]
    assert answer["voice"]["derived"] == ["tone-1"]


async def test_two_jobs_at_once_derive_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = Prepared(monkeypatch)
    async with standing(tmp_path) as house:
        await kept(house)
        await asyncio.gather(*(sung(house, voice="alice") for _ in range(3)))
    assert prepared.voices == ["alice"]


async def test_a_replaced_voice_is_derived_anew(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, note=300)
        await sung(house, voice="alice")
        await house.library.create(record("alice"), reference(500), replace=True)
        assert abs(hertz((await sung(house, voice="alice"))[RATE : 2 * RATE]) - 500) <= 1


async def test_a_damaged_entry_is_derived_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = Prepared(monkeypatch)
    async with standing(tmp_path) as house:
        await kept(house)
        first = await sung(house, voice="alice")
    entry = tmp_path / "voices" / "alice" / "derived" / "tone-1.safetensors"
    entry.write_bytes(entry.read_bytes()[:-3])
    async with standing(tmp_path) as house:
        assert np.array_equal(await sung(house, voice="alice"), first)
    async with standing(tmp_path) as house:
        await sung(house, voice="alice")
    assert len(prepared.voices) == 2


async def test_a_stream_in_a_library_voice_is_as_loud_as_was_asked(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, note=1000)
        for target in (-16, -26):
            events = {"text": TEXT, "voice": "alice", "loudness": target, "delivery": "stream", "keep": True}
            answer = (await done(house, events)).answer
            sound, _ = decoded(Path(answer["audio"]["path"]).read_bytes())
            # A tone of 1 kHz measures 0.7 LU above its power, as BS.1770 weighs it.
            assert abs(to_db(rms(sound[RATE : 2 * RATE])) - target) < 2


async def test_a_reference_in_the_request_speaks_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Prepared(monkeypatch)
    async with standing(tmp_path) as house:
        first = await sung(house, voice={"reference": recording(), "transcript": "Good morning."})
        again = await sung(
            house, voice={"reference": f"data:audio/wav;base64,{recording()}", "transcript": "Good morning."}
        )
    assert np.array_equal(first, again)
    assert prepared.voices == ["inline"]
    assert left(tmp_path) == []


async def test_a_deleted_voice_is_unknown_and_leaves_nothing(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house)
        await sung(house, voice="alice")
        assert (await done(house, {"op": "voices.delete", "id": "alice"})).answer == {"deleted": "alice"}
        assert (await failed(house, {"text": TEXT, "voice": "alice"})).error.code == "unknown_voice"
        assert (await failed(house, {"op": "voices.delete", "id": "alice"})).error.code == "unknown_voice"
    assert left(tmp_path) == []


async def test_an_update_changes_what_it_names_and_null_clears(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, description="old", tags=("a",), transcript="One.", transcript_state="given", language="de")
        asked = {"op": "voices.update", "id": "alice", "description": None, "transcript": "Two.", "name": "Alice"}
        voice = (await done(house, asked)).answer["voice"]
        assert (voice["description"], voice["transcript"], voice["transcript_state"]) == ("", "Two.", "edited")
        assert (voice["name"], voice["tags"], voice["language"]) == ("Alice", ["a"], "de")
        cleared = {"op": "voices.update", "id": "alice", "transcript": None, "tags": None, "name": None}
        voice = (await done(house, cleared)).answer["voice"]
        assert (voice["transcript_state"], voice["tags"], voice["name"]) == ("none", [], "alice")


async def test_a_new_recording_keeps_the_rest_of_the_voice(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, description="mine")
        asked = {"op": "voices.update", "id": "alice", "reference": recording()}
        voice = (await done(house, asked)).answer["voice"]
    assert voice["description"] == "mine"
    assert voice["duration"] > 2
    assert len([path for path in left(tmp_path) if path.suffix == ".flac"]) == 1


async def test_lists_are_filtered_searched_and_paged(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house, "anna", tags=("warm", "old"), language="en-gb")
        await kept(house, "bert", tags=("warm",), language="de", description="Sounds like a BEAR.")
        await kept(house, "carl", language="sw")

        async def found(**asked: Any) -> list[str]:
            answer = (await done(house, {"op": "voices.list", **asked})).answer
            assert answer["total"] >= len(answer["voices"])
            return [voice["id"] for voice in answer["voices"]]

        assert await found() == ["anna", "bert", "carl"]
        assert await found(tags=["warm"]) == await found(tags="warm") == ["anna", "bert"]
        assert await found(tags=["warm", "old"]) == ["anna"]
        assert await found(language="en") == ["anna"]
        assert await found(search="bear") == ["bert"]
        assert await found(model="tone") == ["anna", "bert", "carl"]
        assert await found(model="hibari") == []
        assert await found(page=2, page_size=2) == ["carl"]
        assert await found(page=3, page_size=2) == []


async def test_a_page_never_outgrows_what_a_stream_carries(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        for number in range(12):
            await kept(house, f"voice-{number:02}", transcript="ü" * 20_000)
        seen: list[str] = []
        for page in range(1, 13):
            answer = (await done(house, {"op": "voices.list", "page": page, "page_size": 500})).answer
            seen += [voice["id"] for voice in answer["voices"]]
            assert answer["total"] == 12
            assert len(answer["voices"]) <= operations.PAGE_BYTES // 120_000
    assert seen == [f"voice-{number:02}" for number in range(12)]


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "flac", "aac"])
async def test_the_recording_can_be_heard_in_any_format(tmp_path: Path, format: str) -> None:
    async with standing(tmp_path) as house:
        await kept(house, note=300)
        last = await done(house, {"op": "voices.audio", "id": "alice", "format": format})
    assert last.data is not None
    assert last.answer["audio"]["format"] == format
    samples, rate = decoded(last.data)
    assert abs(len(samples) / rate - 0.5) < 0.1


async def test_the_recording_can_go_to_the_volume(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house)
        answer = (await done(house, {"op": "voices.audio", "id": "alice", "delivery": "volume"})).answer
    assert Path(answer["audio"]["path"]).is_file()


async def test_where_consent_is_asked_for_nothing_goes_without(tmp_path: Path) -> None:
    async with standing(tmp_path, REQUIRE_CONSENT="1") as house:
        create = {"op": "voices.create", "id": "alice", "reference": recording()}
        assert (await failed(house, create)).error.code == "consent_required"
        voice = await created(house, consent={"by": "Alice", "at": "2026-01-31"})
        assert voice["consent"] == {"by": "Alice", "at": "2026-01-31"}
        clear = {"op": "voices.update", "id": "alice", "consent": None}
        assert (await failed(house, clear)).error.code == "consent_required"
        await sung(house, voice="alice")
        inline = {"text": TEXT, "voice": {"reference": recording()}}
        assert (await failed(house, inline)).error.code == "consent_required"


async def test_a_trial_needs_a_speaker_encoder_and_tells_how_like_it_is(tmp_path: Path) -> None:
    class Alike:
        def similarity(self, one: Samples, one_rate: int, other: Samples, other_rate: int) -> float:
            return 1.0 if abs(hertz(one) - hertz(other[: len(other) // RATE * RATE])) < 3 else 0.0

    def missing(_: Settings) -> Alike:
        raise Failure("not_installed", "No speaker encoder is installed.")

    async with standing(tmp_path) as house:
        await kept(house, note=300)
        asked = {"op": "voices.test", "id": "alice", "text": TEXT}
        assert (await failed(replace(house, likeness=missing), asked)).error.code == "not_installed"
        last = await done(replace(house, likeness=lambda _: Alike()), asked)
        assert last.answer["similarity"] == 1.0
        assert last.answer["voice"] == "alice"
        assert last.data is not None


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"op": "voices.create", "id": "../a", "reference": "x"}, "invalid_input", "id"),
    ({"op": "voices.create", "id": "alice"}, "invalid_input", "reference"),
    ({"op": "voices.create", "reference": "AAAA" * 100}, "invalid_input", "id"),
    ({"op": "voices.create", "id": "a", "reference": "/etc/passwd"}, "reference_refused", "reference"),
    ({"op": "voices.create", "id": "a", "reference": "AAAA" * 100}, "reference_not_audio", "reference"),
    ({"op": "voices.create", "id": "a", "reference": "x", "consent": "yes"}, "invalid_input", "consent"),
    ({"op": "voices.create", "id": "a", "reference": "x", "langauge": "en"}, "invalid_input", "langauge"),
    ({"op": "voices.get", "id": "nobody"}, "unknown_voice", "id"),
    ({"op": "voices.update", "id": "nobody", "name": "x"}, "unknown_voice", "id"),
    ({"op": "voices.update", "id": "nobody"}, "invalid_input", "id"),
    ({"op": "voices.update", "id": "nobody", "reference": None}, "invalid_input", "reference"),
    ({"op": "voices.list", "page_size": 501}, "invalid_input", "page_size"),
    ({"op": "voices.list", "model": "nomodel"}, "unknown_model", "model"),
    ({"op": "voices.audio", "id": "nobody"}, "unknown_voice", "id"),
    ({"op": "voices.audio", "id": "nobody", "delivery": "stream"}, "invalid_input", "delivery"),
    ({"op": "voices.delete", "id": "nobody"}, "unknown_voice", "id"),
]


@pytest.mark.parametrize(("asked", "code", "field"), REFUSED, ids=[str(asked)[:60] for asked, _, _ in REFUSED])
async def test_a_mistake_is_told_with_its_field(tmp_path: Path, asked: dict[str, Any], code: str, field: str) -> None:
    async with standing(tmp_path) as house:
        error = (await failed(house, asked)).error
    assert (error.code, error.field) == (code, field)
    assert left(tmp_path) == []


async def test_a_voice_that_exists_is_refused_before_its_recording_is_fetched(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house)
        asked = {"op": "voices.create", "id": "alice", "reference": "https://a.invalid/voice.wav"}
        assert (await failed(house, asked)).error.code == "voice_exists"


async def test_one_address_for_many_jobs_is_fetched_once(tmp_path: Path) -> None:
    with serving({"/a.wav": sends(encoded(speech(1)))}) as web:
        async with standing(tmp_path, ALLOW_HOSTS=web.host) as house:
            voice = {"reference": web.url("/a.wav")}
            first = await sung(house, voice=voice)
            again = await asyncio.gather(*(sung(house, voice=voice) for _ in range(3)))
    assert all(np.array_equal(first, each) for each in again)
    assert len(web.asked) == 1


async def test_a_model_with_limits_of_its_own_says_them_before_it_is_loaded(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await kept(house)
        card = replace(Tone.card, reference=(6.0, 12.0))
        entries = [
            replace(entry, engine=Tone.playing(Score(), card)) if entry.id == "tone" else entry for entry in table()
        ]
        strict = replace(house, catalogue=Catalogue(house.settings, entries))
        error = (await failed(strict, {"text": TEXT, "voice": "alice"})).error
    assert error.code == "reference_too_short"
    assert "at least 6 s" in error.message
