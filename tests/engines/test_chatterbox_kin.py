"""Chatterbox's later weights: which files of a folder are loaded, and how those sound that differ."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from basics.errors import Failure
from models.engines import chatterbox_t3 as t3
from models.engines.chatterbox import Chatterbox, ChatterboxMultilingual, ChatterboxTurbo
from tests.engines import tiny_chatterbox
from tests.engines.chatterbox_lines import FRAMES, alike, alone, line, recording

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

THIRD, SECOND, PACK = "t3_mtl23ls_v3.safetensors", "t3_mtl23ls_v2.safetensors", "t3_pt_br.safetensors"
TOKEN = 960
"""Samples."""


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_chatterbox.make(tmp_path_factory.mktemp("weights") / "made", frames=FRAMES, kinds=["multilingual"])
    return made / "multilingual"


def folder(weights: Path, into: Path, names: Mapping[str, str]) -> Path:
    """The same weights, with these of them under other names."""
    into.mkdir()
    for file in weights.iterdir():
        (into / names.get(file.name, file.name)).symlink_to(file)
    return into


def loaded(engine: type[Chatterbox], weights: Path) -> Chatterbox:
    with tiny_chatterbox.small():
        return engine.load(weights, "cpu", "")


def penalty(engine: Chatterbox, **knobs: float) -> float:
    return engine._wish(line(engine, **knobs)).knobs.penalty


def test_the_third_version_is_spoken_as_upstream_does_and_the_second_as_before(
    multilingual: Path, tmp_path: Path
) -> None:
    third = loaded(ChatterboxMultilingual, multilingual)
    second = loaded(ChatterboxMultilingual, folder(multilingual, tmp_path / "second", {THIRD: SECOND}))
    assert (third._parts.thinker.kind, second._parts.thinker.kind) == (t3.MULTILINGUAL, t3.MULTILINGUAL_V2)
    assert (penalty(third), penalty(second)) == (1.2, 2.0)
    assert penalty(third, repetition_penalty=3.0) == penalty(second, repetition_penalty=3.0) == 3.0


def test_of_both_versions_the_third_is_loaded_and_without_either_it_is_asked_for(
    multilingual: Path, tmp_path: Path
) -> None:
    both = folder(multilingual, tmp_path / "both", {})
    (both / SECOND).write_bytes(b"not looked at")
    assert loaded(ChatterboxMultilingual, both)._parts.thinker.kind == t3.MULTILINGUAL
    (both / SECOND).unlink()
    (both / THIRD).unlink()
    with pytest.raises(Failure, match=THIRD) as error:
        loaded(ChatterboxMultilingual, both)
    assert error.value.code == "weights_missing"


@pytest.mark.parametrize("sings", ["s3gen.pt", "s3gen_v3.pt"])
def test_a_pack_is_loaded_with_what_upstream_plays_it_through(multilingual: Path, tmp_path: Path, sings: str) -> None:
    import torch

    pack = folder(multilingual, tmp_path / "pack", {THIRD: PACK, "s3gen.pt": sings})
    (pack / THIRD).write_bytes(b"not looked at")
    if sings == "s3gen_v3.pt":
        (pack / "s3gen.pt").write_bytes(b"not looked at")
        kept = torch.load(pack / sings, weights_only=True)
        (pack / sings).unlink()  # as published, without what upstream computes
        computed = ("tokenizer._mel_filters", "tokenizer.window")
        torch.save({name: each for name, each in kept.items() if name not in computed}, pack / sings)
    engine, plain = (loaded(ChatterboxMultilingual, each) for each in (pack, multilingual))
    assert engine._parts.thinker.kind == t3.MULTILINGUAL
    voice = engine.prepare(recording(1))
    assert {name: each.tolist() for name, each in voice.items()} == {
        name: each.tolist() for name, each in plain.prepare(recording(1)).items()
    }
    assert alike(alone(engine, line(engine)), alone(plain, line(plain)))


def test_without_a_pack_its_sound_half_is_passed_over(multilingual: Path, tmp_path: Path) -> None:
    whole = folder(multilingual, tmp_path / "whole", {})
    (whole / "s3gen_v3.pt").write_bytes(b"not looked at")
    assert loaded(ChatterboxMultilingual, whole)._parts.thinker.kind == t3.MULTILINGUAL


@pytest.mark.parametrize("sizes", [(10_000,), (1,), (7, 1)])
def test_the_third_versions_last_token_is_not_heard_and_the_others_are(
    multilingual: Path, sizes: tuple[int, ...]
) -> None:
    engine = loaded(ChatterboxMultilingual, multilingual)
    heard = alone(engine, line(engine), sizes)
    engine._parts.thinker.kind = t3.ENGLISH
    whole = alone(engine, line(engine), sizes)
    assert len(whole) % TOKEN == 0
    assert alike(heard, whole[:-TOKEN])


def test_a_recording_said_again_keeps_its_last_token(multilingual: Path) -> None:
    engine = loaded(ChatterboxMultilingual, multilingual)
    source = recording(3, seconds=1.0).samples
    assert source is not None
    said = alone(engine, replace(line(engine), source=source))
    assert len(said) == 25 * TOKEN


def test_nano_speaks_through_turbo(tmp_path: Path) -> None:
    with tiny_chatterbox.small(), tiny_chatterbox.nano():
        made = tiny_chatterbox.make(tmp_path / "made", full=True, frames=FRAMES, kinds=["turbo"]) / "turbo"
    nano = folder(made, tmp_path / "nano", {tiny_chatterbox.THINKS["turbo"]: "t3_nano_v1.safetensors"})
    engine = loaded(ChatterboxTurbo, nano)
    assert engine._parts.thinker.kind == t3.TURBO
    assert alone(engine, line(engine, text="Oh [laugh] well.")).size
