"""Chatterbox's own files where there is no torch; `tests/engines/test_conditionals.py` reads them with it."""

import base64
import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from basics.errors import Failure
from store.folder import Folder
from tests.houses import done, failed, left, standing
from tests.voices.recordings import record, reference
from voices.conditionals import FILE_BYTES, PARTS, read
from voices.library import Library, Rules

NO_TORCH = importlib.util.find_spec("torch") is None


def parts(tokens: int = 150, prompt: int = 250, **changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    made: dict[str, Any] = {
        "t3.speaker_emb": rng.normal(size=(1, 256)).astype(np.float32),
        "t3.cond_prompt_speech_tokens": rng.integers(0, 6561, (1, tokens)),
        "t3.emotion_adv": np.full((1, 1, 1), 0.5, np.float32),
        "gen.prompt_token": rng.integers(0, 6561, (1, prompt)),
        "gen.prompt_token_len": np.array([prompt]),
        "gen.prompt_feat": rng.normal(size=(1, 2 * prompt, 80)).astype(np.float32),
        "gen.embedding": rng.normal(size=(1, 192)).astype(np.float32),
    }
    return {name: part for name, part in (made | changed).items() if part is not None}


def refused(data: bytes, name: str = "alice.safetensors") -> Failure:
    with pytest.raises(Failure) as caught:
        read("alice", name, data)
    return caught.value


def test_what_was_written_is_read_as_the_engine_wants_it() -> None:
    given = parts() | {"t3.emotion_adv": np.full((1, 1, 1), 0.5, np.float16), "more": np.zeros(3)}
    found = read("alice", "alice.safetensors", save(given))
    assert set(found) == set(PARTS)
    assert all(np.array_equal(found[name], given[name]) for name in PARTS)
    assert {array.dtype.name for array in found.values()} == {"float32", "int64"}


def nans(*shape: int) -> Any:
    return np.full(shape, np.nan, np.float32)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in PARTS),
        ("t3.speaker_emb", np.zeros((1, 255), np.float32)),
        ("t3.speaker_emb", nans(1, 256)),
        ("t3.speaker_emb", np.zeros((1, 256), np.int64)),
        ("t3.cond_prompt_speech_tokens", np.zeros((1, 376), np.int64)),
        ("t3.cond_prompt_speech_tokens", np.full((1, 9), 7000)),
        ("t3.cond_prompt_speech_tokens", np.zeros((1, 0), np.int64)),
        ("t3.cond_prompt_speech_tokens", np.zeros((1, 9), np.float32)),
        ("t3.emotion_adv", np.full((1, 1, 1), np.inf, np.float32)),
        ("gen.prompt_token", np.full((1, 250), -1)),
        ("gen.prompt_token_len", np.array([251])),
        ("gen.prompt_token_len", np.array([0])),
        ("gen.prompt_feat", np.zeros((1, 100, 80), np.float32)),
        ("gen.prompt_feat", np.zeros((1, 500, 79), np.float32)),
        ("gen.prompt_feat", nans(1, 500, 80)),
        ("gen.embedding", np.zeros(192, np.float32)),
    ],
)
def test_a_part_that_is_missing_or_wrong_is_named(name: str, value: Any) -> None:
    failure = refused(save(parts(**{name: value})))
    assert failure.code == "voice_unusable"
    assert name in failure.message or "equally long" in failure.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        save(parts())[:-1000],
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 90)
        + b'{"t3.speaker_emb":{"dtype":"F32","shape":[1,536870912],"data_offsets":[0,2147483648]}}  ',
        b"\x80\x04cposix\nsystem\n.",
        bytes(FILE_BYTES + 1),
    ],
    ids=["empty", "zeros", "truncated", "endless header", "two gigabytes", "pickle", "too large"],
)
def test_what_is_no_such_file_is_unusable(data: bytes) -> None:
    assert refused(data).code == "voice_unusable"


@pytest.mark.skipif(not NO_TORCH, reason="torch is here")
@pytest.mark.parametrize("ending", ["pt", "pth"])
async def test_without_torch_a_pickle_is_listed_and_never_opened(tmp_path: Path, ending: str) -> None:
    harm = b"\x80\x04cposix\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR."
    (tmp_path / f"alice.{ending}").write_bytes(harm)
    voices = Library(Folder(tmp_path), Rules())
    assert [(each.id, each.told()["origin"]) for each in await voices.records()] == [("alice", "conditionals")]
    with pytest.raises(Failure, match="takes torch") as caught:
        await voices.get("alice")
    assert caught.value.code == "not_installed"
    assert "cloning" in str(caught.value.hint)
    assert not (tmp_path / "ran").exists()


async def test_a_file_dropped_among_the_voices_is_ready_to_speak_with_and_another_file_is_another_voice(
    tmp_path: Path,
) -> None:
    (tmp_path / "alice.safetensors").write_bytes(save(parts()))
    voices = Library(Folder(tmp_path), Rules(watch_seconds=0))
    first = await voices.get("alice")
    (tmp_path / "alice.safetensors").write_bytes(save(parts(tokens=99)))
    second = await voices.get("alice")
    assert first is not None
    assert second is not None
    assert first.conditionals is not None
    assert set(first.conditionals) == set(PARTS)
    assert first.digest != second.digest


async def test_a_model_that_does_not_read_it_says_so_and_nothing_else_is_done_with_it(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "alice.safetensors").write_bytes(save(parts()))
    async with standing(tmp_path) as house:
        spoken = (await failed(house, {"text": "Hello.", "voice": "alice"})).error
        assert (spoken.code, "chatterbox" in str(spoken.hint)) == ("voice_unusable", True)
        assert (await failed(house, {"op": "voices.audio", "id": "alice"})).error.code == "voice_unusable"
        changed = {"op": "voices.update", "id": "alice", "name": "Alice"}
        assert (await failed(house, changed)).error.code == "voice_unusable"
        for model, count in (("tone", 0), ("chatterbox", 1)):
            found = (await done(house, {"op": "voices.list", "model": model})).answer
            assert found["total"] == count
        await done(house, {"op": "voices.delete", "id": "alice"})
    assert list((tmp_path / "voices").iterdir()) == []


def creating(**changed: Any) -> dict[str, Any]:
    data = base64.b64encode(save(parts())).decode()
    return {"op": "voices.create", "id": "alice", "conditionals": data} | changed


async def test_a_voice_is_made_from_what_was_sent_and_replaced_only_where_asked(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        made = (await done(house, creating())).answer["voice"]
        assert (made["id"], made["origin"]) == ("alice", "conditionals")
        first = await house.library.get("alice")
        assert (await failed(house, creating())).error.code == "voice_exists"
        other = base64.b64encode(save(parts(tokens=99))).decode()
        await done(house, creating(conditionals=other, replace=True))
        second = await house.library.get("alice")
        assert first is not None
        assert second is not None
        assert first.digest != second.digest
        await done(house, {"op": "voices.delete", "id": "alice"})
    assert list((tmp_path / "voices").iterdir()) == []


async def test_conditionals_take_the_place_of_a_recording_where_asked(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await house.library.create(record("alice"), reference(300.0))
        assert (await failed(house, creating())).error.code == "voice_exists"
        assert (await done(house, creating(replace=True))).answer["voice"]["origin"] == "conditionals"
    assert [path.name for path in (tmp_path / "voices").iterdir() if path.is_file()] == ["alice.safetensors"]


HARM = base64.b64encode(b"\x80\x04cposix\nsystem\n(S'true'\ntR.").decode()


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"conditionals": HARM}, "voice_unusable", "conditionals"),
        ({"conditionals": base64.b64encode(b"PK" + bytes(100)).decode()}, None, "conditionals"),
        ({"reference": "AAAA" * 100}, "not_supported", "reference"),
        ({"transcript": "Good morning."}, "not_supported", "transcript"),
        ({"name": "Alice"}, "not_supported", "name"),
        ({"conditionals": "/etc/passwd"}, "reference_refused", "conditionals"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_nothing_stays(
    tmp_path: Path, changed: dict[str, Any], code: str | None, field: str
) -> None:
    async with standing(tmp_path) as house:
        error = (await failed(house, creating(**changed))).error
    assert error.code == (code or ("not_installed" if NO_TORCH else "voice_unusable"))
    assert error.field == field
    assert left(tmp_path) == []


async def test_where_consent_is_asked_for_conditionals_have_none_to_give(tmp_path: Path) -> None:
    async with standing(tmp_path, REQUIRE_CONSENT="1") as house:
        assert (await failed(house, creating())).error.code == "consent_required"
