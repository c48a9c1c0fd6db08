"""Over a random checkpoint in the real layout, beside upstream's own network over the same file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.errors import Failure
from models.engine import Line, NoRoom, Piece
from models.engines.f5 import F5, RATE, F5Options, reference
from tests.engines import tiny_f5
from tests.engines.f5_lines import alone, finish, line, recording, step

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_f5.make(tmp_path_factory.mktemp("f5"))


@pytest.fixture(scope="module")
def f5(folder: Path) -> F5:
    return F5.load(folder, "cpu", "")


# Rows


def test_eight_ragged_lines_sound_together_as_each_does_alone(f5: F5):
    lines = [line(f5, number) for number in range(8)]
    deck = f5.open(8)
    for each in lines:
        deck.admit(each)
    together = finish(deck)
    assert set(together) == {each.id for each in lines}
    for each in lines:
        expected = alone(f5, each)
        assert len(together[each.id]) == len(expected)
        assert np.abs(together[each.id] - expected).max() < 1e-3


def test_a_line_that_joins_at_any_turn_changes_nobody_and_is_not_changed(f5: F5):
    first, second = line(f5, 2), line(f5, 6)
    expected = {each.id: alone(f5, each) for each in (first, second)}
    for turns in range(1, 7):
        deck = f5.open(2)
        deck.admit(first)
        for _ in range(turns):
            step(deck, size=1)
        deck.admit(second)
        said = finish(deck, size=1)
        assert all(np.abs(said[id] - sound).max() < 1e-3 for id, sound in expected.items())


def test_a_line_that_leaves_at_any_turn_changes_nobody_and_its_place_is_free_at_once(f5: F5):
    first, second = line(f5, 2), line(f5, 6)
    expected = alone(f5, first)
    for turns in range(6):
        deck = f5.open(2)
        deck.admit(first)
        deck.admit(second)
        for _ in range(turns):
            step(deck, size=1)
        deck.drop(second.id)
        deck.admit(line(f5, 4, id="third"))
        deck.drop("third")
        assert np.abs(finish(deck)[first.id] - expected).max() < 1e-3


def test_who_is_left_out_of_a_turn_waits_where_it_is(f5: F5):
    first, second = line(f5, 0), line(f5, 1)
    deck = f5.open(2)
    deck.admit(first)
    deck.admit(second)
    step(deck, size=3, only=[first.id])
    left = {work.line: work.size for work in deck.ready()}
    assert left == {first.id: 5, second.id: 7}
    said = finish(deck)
    assert np.abs(said[second.id] - alone(f5, second)).max() < 1e-3


def test_a_turn_says_how_much_of_the_sound_it_brings(f5: F5):
    given = line(f5, 0)
    deck = f5.open(1)
    deck.admit(given)
    (before,) = deck.ready()
    step(deck, size=2)
    (after,) = deck.ready()
    assert after.seconds == pytest.approx(before.seconds * 6 / 8)
    while (work := deck.ready()[0]).stage == "denoise":
        step(deck)
    (piece,) = step(deck)
    assert len(piece.samples) / RATE == pytest.approx(work.seconds) == pytest.approx(before.seconds)


def test_a_card_without_memory_says_so_in_our_words(f5: F5, monkeypatch: pytest.MonkeyPatch):
    import torch  # type: ignore[import-not-found,unused-ignore]

    def full(rows: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    deck = f5.open(1)
    deck.admit(line(f5, 0))
    monkeypatch.setattr(f5._network, "flow", full)
    with pytest.raises(Failure, match="out_of_memory"):
        step(deck)
    monkeypatch.undo()
    assert finish(deck)


def test_sums_beyond_the_precision_end_their_line_only(f5: F5):
    wild, tame = line(f5, 0), line(f5, 1)
    mels = np.full_like(wild.conditioning["mels"], np.inf)
    deck = f5.open(2)
    deck.admit(replace(wild, conditioning={**wild.conditioning, "mels": mels}))
    deck.admit(tame)
    pieces: list[Piece] = []
    while deck.ready():
        pieces += step(deck)
    errors = {piece.line: piece.error for piece in pieces}
    assert errors[tame.id] is None
    assert (error := errors[wild.id]) is not None
    assert "DTYPE" in error.message


# Upstream


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    from safetensors.torch import load_file

    network = tiny_f5.upstream(tiny_f5.TINY)
    held = load_file(folder / "F5TTS_v1_Base" / "model_1250000.safetensors")
    network.load_state_dict({name.removeprefix("ema_model."): tensor for name, tensor in held.items()})
    return network


def upstream_mels(network: Any, given: Line, frames: int) -> Any:
    """Upstream's own sampling, told how many frames to make."""
    import torch
    from f5_tts.model.utils import convert_char_to_pinyin  # type: ignore[import-not-found,unused-ignore]

    knobs = given.options
    assert isinstance(knobs, F5Options)
    text = bytes(given.conditioning["transcript"]).decode() + given.text
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        made, _ = network.sample(
            cond=torch.from_numpy(given.conditioning["mels"])[None],
            text=convert_char_to_pinyin([text]),
            duration=frames,
            steps=knobs.steps,
            cfg_strength=knobs.guidance,
            sway_sampling_coef=knobs.sway,
            use_epss=knobs.pruned,
            seed=given.seed,
        )
    return made[0, len(given.conditioning["mels"]) :]


@pytest.mark.parametrize("number", range(8))
def test_a_line_is_what_upstream_makes_of_the_same_noise(f5: F5, theirs: Any, folder: Path, number: int):
    import torch

    from models.engines.shims import stand_ins

    with stand_ins():
        from vocos import Vocos  # type: ignore[import-not-found,unused-ignore]

    given = line(f5, number)
    sound = alone(f5, given)
    frames = len(given.conditioning["mels"]) + len(sound) // 256 + 1
    mels = upstream_mels(theirs, given, frames)
    vocos = Vocos.from_hparams(str(folder / "vocos" / "config.yaml")).eval()
    vocos.load_state_dict(torch.load(folder / "vocos" / "pytorch_model.bin", weights_only=True))
    expected = vocos.decode(mels.T[None])[0].numpy()
    assert len(expected) == len(sound)
    assert np.abs(sound - expected).max() < 1e-3


def test_a_recordings_mel_frames_are_upstreams(f5: F5, theirs: Any):
    import torch

    sound, _ = reference(recording(3).samples, RATE)  # type: ignore[arg-type]
    expected = theirs.mel_spec(torch.from_numpy(sound)[None])[0].T.numpy()
    assert np.abs(f5.prepare(recording(3))["mels"] - expected).max() < 1e-3


def test_the_first_release_is_read_with_the_habits_it_was_made_with(tmp_path: Path):
    from safetensors.torch import load_file

    habits = {"text_mask_padding": False, "pe_attn_head": 1}
    folder = tiny_f5.make(tmp_path, **habits)
    (folder / "F5TTS_v1_Base").rename(folder / "F5TTS_Base")
    network = tiny_f5.upstream(tiny_f5.TINY, **habits)
    held = load_file(folder / "F5TTS_Base" / "model_1250000.safetensors")
    network.load_state_dict({name.removeprefix("ema_model."): tensor for name, tensor in held.items()})
    f5 = F5.load(folder, "cpu", "")
    given = line(f5, 0)
    sound = alone(f5, given)
    mels = upstream_mels(network, given, len(given.conditioning["mels"]) + len(sound) // 256 + 1)
    assert np.abs(sound - f5._vocoder.sound(mels)).max() < 1e-3


# Voices


def test_a_recording_without_its_words_is_refused_with_what_to_give(f5: F5):
    with pytest.raises(Failure, match="`transcript`") as error:
        f5.prepare(replace(recording(1), transcript="  "))
    assert (error.value.code, error.value.field) == ("voice_unusable", "voice")


@pytest.mark.parametrize("seconds", [0.5, 25.0])
def test_a_recording_of_another_length_is_refused_with_the_limits(f5: F5, seconds: float):
    with pytest.raises(Failure, match="1 to 20 s"):
        f5.prepare(recording(1, seconds))


def test_a_voice_is_of_its_own_recording_and_of_nothing_before_it(f5: F5):
    once = f5.prepare(recording(1))
    f5.prepare(recording(2))
    again = f5.prepare(recording(1))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert not np.array_equal(once["mels"], f5.prepare(recording(2))["mels"])


def test_a_recording_at_another_rate_is_the_same_voice(f5: F5):
    given = f5.prepare(recording(1, rate=48_000))
    assert abs(len(given["mels"]) - len(f5.prepare(recording(1))["mels"])) <= 1


def test_a_reference_is_loud_without_silence_before_it_and_ends_in_a_pause():
    speech = recording(1).samples
    assert speech is not None
    quiet = np.zeros(RATE, np.float32)
    sound, seconds = reference(np.concatenate([quiet, speech / 20, quiet]), RATE)
    assert seconds == pytest.approx(2.0, abs=0.03)
    assert np.sqrt(np.mean(sound[: 2 * RATE] ** 2)) > 0.09
    assert not sound[-round(0.19 * RATE) :].any()


def test_a_recording_that_breaks_off_in_speech_does_not_end_in_a_click():
    speech = recording(1).samples
    assert speech is not None
    sound, seconds = reference(speech, RATE)
    end = round(seconds * RATE)
    assert np.abs(sound[end - 24 : end]).max() < 0.15 * np.abs(sound).max()


# Lines


def test_another_seed_is_another_reading_and_the_same_seed_the_same(f5: F5):
    given = line(f5, 0)
    assert np.array_equal(alone(f5, given), alone(f5, given))
    assert not np.array_equal(alone(f5, given), alone(f5, replace(given, seed=1)))


def test_faster_speech_is_as_much_shorter(f5: F5):
    given = line(f5, 2)
    slow, fast = (len(alone(f5, replace(given, speed=speed))) for speed in (0.5, 2.0))
    assert slow / fast == pytest.approx(4.0, rel=0.05)


def test_a_line_never_plays_longer_than_it_may(f5: F5):
    assert len(alone(f5, line(f5, 2, longest=1.0))) <= RATE + 256


@pytest.mark.parametrize(("text", "said"), [("?!", "letter"), ("ꙮꙮꙮ", "vocabulary"), ("word " * 900, "at most")])
def test_what_cannot_be_said_is_refused(f5: F5, text: str, said: str):
    deck = f5.open(1)
    with pytest.raises(Failure, match=said) as error:
        deck.admit(line(f5, 0, text=text, longest=1000.0))
    assert (error.value.code, error.value.field) == ("invalid_input", "text")
    deck.admit(line(f5, 0))


def test_no_more_come_aboard_than_there_is_room_for(f5: F5):
    deck = f5.open(1)
    deck.admit(line(f5, 0))
    with pytest.raises(NoRoom):
        deck.admit(line(f5, 1))


@pytest.mark.parametrize("knobs", [{"steps": 1}, {"guidance": -1}, {"sway": 2.0}, {"nfe": 7}])
def test_knobs_have_limits(knobs: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        F5Options.model_validate(knobs)
