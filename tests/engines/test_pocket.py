"""Over a tiny random checkpoint that upstream's own loader reads: all but what the real one sounds like."""

import asyncio
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples, join
from basics.errors import Failure
from models.engine import Conditioning, Deck, Line, Piece
from models.engines.pocket import Pocket, PocketOptions
from models.groups import table
from models.listener import Listener
from models.resident import Resident
from models.warming import warm_up
from tests.engines import tiny_pocket
from voices.voice import Voice

pytestmark = [pytest.mark.engine, pytest.mark.environment("pocket")]

TEXT = "Good evening, and welcome. Please close the window before you leave the room!"
ENDLESS = {"eos_threshold": 20.0}
FRAME = 1920


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pocket.make(tmp_path_factory.mktemp("pocket"))


@pytest.fixture(scope="module")
def pocket(weights: Path) -> Pocket:
    return Pocket.load(weights, "cpu", "")


def preset(pocket: Pocket, id: str = "alba") -> Conditioning:
    return pocket.prepare(Voice(id, "preset", id))


def line(pocket: Pocket, id: str = "a", text: str = TEXT, voice: str = "alba", seed: int = 1, **knobs: object) -> Line:
    return Line(id, text, "en", preset(pocket, voice), PocketOptions.model_validate(knobs), seed)


def recording(seed: int, seconds: float = 2.0, rate: int = 24_000) -> Voice:
    samples = np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate)).astype(np.float32)
    return Voice(f"v{seed}", "inline", f"v{seed}", samples=samples, rate=rate)


def run(deck: Deck, sizes: Sequence[int]) -> list[Piece]:
    """Turn by turn, every line aboard, in chunks of these sizes over and over."""
    pieces: list[Piece] = []
    turn = 0
    while ready := deck.ready():
        pieces += deck.run([replace(work, size=min(work.size, sizes[turn % len(sizes)])) for work in ready])
        turn += 1
    return pieces


def sound_of(pieces: list[Piece], id: str = "a") -> Samples:
    assert [piece.error for piece in pieces if piece.line == id and piece.error] == []
    return join([piece.samples for piece in pieces if piece.line == id])


def alone(pocket: Pocket, given: Line, sizes: Sequence[int] = (12,)) -> Samples:
    deck = pocket.open(1)
    deck.admit(given)
    return sound_of(run(deck, sizes), given.id)


def alike(one: Samples, other: Samples) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=1e-5))


def test_the_same_seed_sounds_as_upstream_does(pocket: Pocket, weights: Path) -> None:
    import torch  # type: ignore[import-not-found,unused-ignore]

    model: Any = pocket._network._model
    voice = model.get_state_for_audio_prompt(weights / "languages" / "english" / "embeddings" / "alba.safetensors")
    torch.manual_seed(5)
    assert alike(model.generate_audio(voice, TEXT).numpy(), alone(pocket, line(pocket, seed=5)))


def test_a_clone_is_what_upstream_makes_of_the_recording(pocket: Pocket) -> None:
    import torch

    voice = recording(1)
    state: Any = pocket._network._model.get_state_for_audio_prompt(torch.tensor(voice.samples)[None])
    made = pocket.prepare(voice)
    theirs = {f"{module}/{name}": held.numpy() for module, kept in state.items() for name, held in kept.items()}
    assert made.keys() == theirs.keys()
    assert all(np.allclose(made[name], theirs[name], atol=1e-6) for name in made)


def test_chunks_of_any_size_join_to_the_whole(pocket: Pocket) -> None:
    whole = alone(pocket, line(pocket))
    assert alike(alone(pocket, line(pocket), (1,)), whole)
    assert alike(alone(pocket, line(pocket), (1, 3, 5)), whole)
    assert alike(join(list(pocket.speak(line(pocket)))), whole)


def test_the_first_piece_is_one_frame_where_one_is_asked_for(pocket: Pocket) -> None:
    deck = pocket.open(1)
    deck.admit(line(pocket))
    (work,) = deck.ready()
    assert (work.least, work.seconds / work.size) == (1, pytest.approx(0.08))
    (piece,) = deck.run([replace(work, size=1)])
    assert len(piece.samples) == FRAME
    assert not piece.last


def test_a_line_sounds_the_same_alone_and_beside_others(pocket: Pocket) -> None:
    deck = pocket.open(3)
    lines = [
        line(pocket, "a", seed=1),
        line(pocket, "b", text="Another text.", voice="anna", seed=2, temperature=0.9),
        line(pocket, "c", text="A third one, with more to it.", seed=3, noise_clamp=0.2, decode_steps=3),
    ]
    for each in lines:
        deck.admit(each)
    together = run(deck, (2, 5))
    for each in lines:
        assert alike(sound_of(together, each.id), alone(pocket, each))


def test_drawing_elsewhere_changes_nothing_and_is_not_changed(pocket: Pocket) -> None:
    import torch

    torch.manual_seed(9)
    undisturbed = torch.randn(3)
    torch.manual_seed(9)
    whole = alone(pocket, line(pocket))
    pocket.prepare(recording(2))
    assert torch.equal(torch.randn(3), undisturbed)
    deck = pocket.open(1)
    deck.admit(line(pocket))
    pieces: list[Piece] = []
    while ready := deck.ready():
        torch.randn(7)
        pieces += deck.run([replace(ready[0], size=2)])
    assert alike(sound_of(pieces), whole)


def test_another_seed_or_knob_is_another_reading(pocket: Pocket) -> None:
    plain = alone(pocket, line(pocket))
    others = ({"seed": 2}, {"temperature": 1.5}, {"noise_clamp": 0.1}, {"decode_steps": 4})
    for changed in others:
        assert not alike(alone(pocket, line(pocket, **changed)), plain), changed  # type: ignore[arg-type]
    longer = alone(pocket, line(pocket, frames_after_eos=20))
    assert len(longer) > len(plain)


def test_no_noise_makes_every_seed_the_same(pocket: Pocket) -> None:
    still = {"temperature": 0.0, "noise_clamp": 1.0}
    one, other = (alone(pocket, line(pocket, seed=seed, **still)) for seed in (1, 2))  # type: ignore[arg-type]
    assert alike(one, other)


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"decode_steps": 0}, {"noise_clamp": 0}, {"lsd_steps": 1}])
def test_a_knob_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PocketOptions.model_validate(wrong)


def test_voices_differ_and_do_not_leak_into_each_other(pocket: Pocket) -> None:
    alba, anna = preset(pocket), preset(pocket, "anna")
    kept = {name: array.copy() for name, array in alba.items()}
    deck = pocket.open(2)
    deck.admit(line(pocket, "a"))
    deck.admit(line(pocket, "b", voice="anna"))
    pieces = run(deck, (3,))
    assert not alike(sound_of(pieces, "a"), sound_of(pieces, "b"))
    assert alike(sound_of(pieces, "a"), alone(pocket, line(pocket)))
    given = replace(line(pocket, "c"), conditioning=alba)
    alone(pocket, given)
    assert all(np.array_equal(alba[name], kept[name]) for name in kept)
    assert any(not np.array_equal(alba[name], anna[name]) for name in kept)


def test_two_recordings_are_two_voices_and_the_same_one_is_one(pocket: Pocket) -> None:
    one, again, other = (pocket.prepare(recording(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    given = [replace(line(pocket), conditioning=each) for each in (one, other)]
    first, second = (alone(pocket, each) for each in given)
    assert not alike(first, second)


def test_a_recording_of_any_rate_is_taken_and_of_thirty_seconds_at_most(pocket: Pocket) -> None:
    (name,) = [name for name in preset(pocket) if name.endswith("layers.0.self_attn/cache")]
    low, high = (pocket.prepare(recording(1, rate=rate))[name].shape[2] for rate in (16_000, 48_000))
    assert low == high
    long, longer = (pocket.prepare(recording(1, seconds, 8_000))[name].shape[2] for seconds in (30.0, 40.0))
    assert long == longer


def test_a_conditioning_survives_a_safetensors_file(pocket: Pocket, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    made = pocket.prepare(recording(1))
    save_file(made, tmp_path / "voice.safetensors")
    read = load_file(tmp_path / "voice.safetensors")
    assert alike(*(alone(pocket, replace(line(pocket), conditioning=each)) for each in (made, read)))


def test_a_scrap_of_a_recording_is_refused(pocket: Pocket) -> None:
    for voice in (recording(1, 0.2), Voice("x", "library", "x", samples=np.zeros(0, np.float32), rate=24_000)):
        with pytest.raises(Failure, match="voice_unusable"):
            pocket.prepare(voice)
    with pytest.raises(Failure, match="voice_unusable"):
        pocket.prepare(Voice("x", "blend", "x"))


def test_a_voice_that_nobody_fetched_says_how_to_get_it(pocket: Pocket) -> None:
    with pytest.raises(Failure, match=r"builder\.fetch_weights --model pocket-tts") as error:
        pocket.prepare(Voice("eve", "preset", "eve"))
    assert error.value.code == "weights_missing"


def test_voices_that_forbid_commercial_use_are_not_offered(pocket: Pocket) -> None:
    for id in ("cosette", "jean"):
        with pytest.raises(Failure, match="unknown_voice"):
            pocket.prepare(Voice(id, "preset", id))


def test_a_line_that_does_not_end_is_a_runaway_worth_another_try(pocket: Pocket) -> None:
    deck = pocket.open(2)
    deck.admit(line(pocket, "a", **ENDLESS))
    deck.admit(replace(line(pocket, "b", **ENDLESS), longest=1.0))
    pieces = run(deck, (12,))
    for id, most in (("a", 40.0), ("b", 1.0)):
        *_, last = [piece for piece in pieces if piece.line == id]
        assert last.error is not None
        assert last.last
        assert last.error.retryable
        assert sum(len(piece.samples) for piece in pieces if piece.line == id) <= most * 24_000
    assert list(deck.ready()) == []


async def test_a_resident_warms_up_and_speaks_to_two_listeners_at_once(pocket: Pocket) -> None:
    resident = Resident(pocket)
    try:
        await asyncio.to_thread(warm_up, resident)
        lines = [line(pocket, "a"), line(pocket, "b", voice="anna", seed=2)]
        heard = await asyncio.gather(*(_heard(resident, each) for each in lines))
    finally:
        await asyncio.to_thread(resident.close)
    for each, sound in zip(lines, heard, strict=True):
        assert alike(sound, alone(pocket, each))


async def _heard(resident: Resident, given: Line) -> Samples:
    return join([piece.samples async for piece in resident.speak(given, Listener("stream"))])


def test_a_dropped_line_is_gone_at_once_and_its_neighbour_goes_on(pocket: Pocket) -> None:
    deck = pocket.open(2)
    deck.admit(line(pocket, "a", **ENDLESS))
    deck.admit(line(pocket, "b"))
    start = deck.run([replace(work, size=2) for work in deck.ready()])
    deck.drop("a")
    assert {work.line for work in deck.ready()} == {"b"}
    assert alike(sound_of(start + run(deck, (12,)), "b"), alone(pocket, line(pocket, "b")))


@pytest.mark.parametrize("text", ["", "  ", "...", "🙂", "“”"])
def test_text_without_a_letter_or_digit_is_refused(pocket: Pocket, text: str) -> None:
    deck = pocket.open(1)
    with pytest.raises(Failure, match="invalid_input"):
        deck.admit(line(pocket, text=text))
    assert list(deck.ready()) == []


def test_a_long_text_is_spoken_in_parts_and_nothing_of_it_is_logged(
    pocket: Pocket, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        long = alone(pocket, line(pocket, text="Nobody came to the harbour that evening " * 8))
        two = alone(pocket, line(pocket, text=f"{TEXT} {TEXT}"))
    assert len(two) > len(alone(pocket, line(pocket))) > FRAME
    assert len(long) > FRAME
    assert "harbour" not in caplog.text


def test_missing_and_damaged_files_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"model\.safetensors is not on this worker"):
        Pocket.load(tmp_path, "cpu", "")
    for name in ("model.safetensors", "tokenizer.json", "embeddings/alba.safetensors"):
        place = tmp_path / name.replace("/", "-")
        shutil.copytree(weights, place)
        (place / "languages" / "english" / name).write_bytes(b"half a file")
        with pytest.raises(Failure, match="cannot be read") as error:
            Pocket.load(place, "cpu", "").prepare(Voice("alba", "preset", "alba"))
        assert error.value.code == "weights_missing"


def test_a_voice_of_other_weights_is_refused(pocket: Pocket, weights: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    shutil.copytree(weights, tmp_path / "w")
    engine = Pocket.load(tmp_path / "w", "cpu", "")
    wrong = {name: np.ascontiguousarray(array[..., :8]) for name, array in preset(pocket).items()}
    save_file(wrong, tmp_path / "w" / "languages" / "english" / "embeddings" / "alba.safetensors")
    with pytest.raises(Failure, match="of other weights"):
        engine.prepare(Voice("alba", "preset", "alba"))


def test_weights_published_without_cloning_say_so(weights: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(weights, tmp_path / "w")
    path = tmp_path / "w" / "languages" / "english" / "model.safetensors"
    tensors = load_file(path)
    tensors["flow_lm.speaker_proj_weight"][:] = 0
    save_file(tensors, path)
    engine = Pocket.load(tmp_path / "w", "cpu", "")
    assert len(alone(engine, line(engine))) > FRAME
    with pytest.raises(Failure, match="cannot clone"):
        engine.prepare(recording(1))


def test_other_precisions_and_absent_cards_are_misconfigured(weights: Path) -> None:
    with pytest.raises(Failure, match="DTYPE"):
        Pocket.load(weights, "cpu", "bf16")
    with pytest.raises(Failure, match="DEVICE=cpu"):
        Pocket.load(weights, "cuda:0", "")


def test_the_table_names_the_files_that_upstreams_package_does() -> None:
    import yaml  # type: ignore[import-untyped,unused-ignore]
    from pocket_tts.utils.config import CONFIGS_DIR  # type: ignore[import-not-found,unused-ignore]
    from pocket_tts.utils.utils import get_predefined_voice  # type: ignore[import-not-found,unused-ignore]

    (entry,) = [entry for entry in table() if entry.id == "pocket-tts"]
    config = yaml.safe_load((CONFIGS_DIR / "english.yaml").read_text())
    assert config["weights_path"] == f"hf://{entry.repository}/{entry.files[0].path}@{entry.revision}"
    assert entry.files[1].address == _resolved(config["flow_lm"]["lookup_table"]["tokenizer_path"])
    for file in entry.files[2:]:
        assert file.address == _resolved(get_predefined_voice("english", Path(file.path).stem))
    assert {Path(file.path).stem for file in entry.files[2:]} == {each.id for each in Pocket.card.presets}


def _resolved(address: str) -> str:
    path, _, revision = address.removeprefix("hf://").partition("@")
    owner, name, rest = path.split("/", 2)
    return f"https://huggingface.co/{owner}/{name}/resolve/{revision}/{rest}"
