"""F5-TTS over a random checkpoint in the real layout: lines together against lines alone, and what may go wrong."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from basics.audio import Samples
from basics.errors import Failure
from models.engine import NoRoom, Piece
from models.engines.f5 import F5, RATE, F5Options, reference
from models.engines.f5_deck import F5Deck
from tests.engines import tiny_f5
from tests.engines.f5_lines import alone, finish, line, recording, step
from voices.voice import Voice

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
    expected = {each.id: alone(f5, each) for each in (first, second)}
    for turns in range(7):
        deck = f5.open(2)
        deck.admit(first)
        deck.admit(second)
        for _ in range(turns):
            step(deck, size=1)
        step(deck, size=1, only=[first.id])
        left = {work.line: work.size for work in deck.ready()}
        assert left == {first.id: 7 - turns, second.id: 7 - turns}
        said = finish(deck)
        assert all(np.abs(said[id] - sound).max() < 1e-3 for id, sound in expected.items())


def test_lines_join_wait_and_are_cancelled_by_chance_and_those_that_stay_sound_as_alone(f5: F5):
    chance = random.Random(7)
    coming = [line(f5, number) for number in range(8)]
    lines = {each.id: each for each in coming}
    deck, said, cancelled = f5.open(3), dict[str, Samples](), set[str]()
    while coming or deck.ready():
        ready = deck.ready()
        if coming and len(ready) < 3 and chance.random() < 0.5:
            deck.admit(coming.pop())
        elif ready:
            stage = chance.choice(ready).stage
            able = [work for work in ready if work.stage == stage]
            for piece in deck.run(
                [
                    replace(work, size=max(work.least, chance.randint(1, work.size)))
                    for work in chance.sample(able, chance.randint(1, len(able)))
                ]
            ):
                said[piece.line] = piece.samples
            if chance.random() < 0.04:
                cancelled.add(gone := chance.choice(ready).line)
                deck.drop(gone)
    assert set(said) | cancelled == set(lines)
    assert len(said) > 4
    for id, sound in said.items():
        assert np.abs(sound - alone(f5, lines[id])).max() < 1e-3, id


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


def test_what_is_heard_begins_with_the_lines_first_frame_and_holds_none_of_the_references(f5: F5):
    """A network that knows what it is to say: it reaches it in a straight line. Where the reference is heard it says
    something else, and louder, of which nothing may come through."""
    given = line(f5, 2)
    count = len(given.conditioning["mels"])
    speech = f5.prepare(recording(5, 12.0))["mels"]

    class Knowing:
        device = f5._network.device

        def read(self, ids: object, frames: int) -> None:
            return None

        def flow(self, rows: list[Any]) -> list[Any]:
            (row,) = rows
            wanted = torch.full_like(row.noise, 3.0)
            wanted[count:] = torch.from_numpy(speech[: len(row.noise) - count])
            return [(wanted - row.noise) / (1 - row.time)]

    deck = F5Deck(Knowing(), f5._vocoder, f5._tokens, 1)  # type: ignore[arg-type,unused-ignore]
    deck.admit(given)
    sound = finish(deck)[given.id]
    frames = len(sound) // 256 + 1
    with torch.inference_mode():
        expected = f5._vocoder.sound(torch.from_numpy(speech[:frames]))
    assert np.abs(sound - expected).max() < 1e-3
    assert np.abs(sound[: 4 * 256]).max() > 0.01


# Voices


def test_a_recording_without_its_words_is_refused_with_what_to_give(f5: F5):
    with pytest.raises(Failure, match="`transcript`") as error:
        f5.prepare(replace(recording(1), transcript="  "))
    assert (error.value.code, error.value.field) == ("voice_unusable", "voice")


@pytest.mark.parametrize("seconds", [0.5, 25.0])
def test_a_recording_of_another_length_is_refused_with_the_limits(f5: F5, seconds: float):
    with pytest.raises(Failure, match="1 to 20 s"):
        f5.prepare(recording(1, seconds))


def test_a_voice_that_is_only_described_is_refused_with_what_to_give(f5: F5):
    with pytest.raises(Failure, match="recording and the words") as error:
        f5.prepare(Voice("deep", "design", "deep", description="A deep voice."))
    assert (error.value.code, error.value.field) == ("voice_unusable", "voice")


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


def test_every_knob_is_heard(f5: F5):
    plain = F5Options(steps=7)
    sound = alone(f5, line(f5, 2, options=plain))
    for name, value in {"steps": 3, "guidance": 0.0, "sway": None, "pruned": False}.items():
        other = alone(f5, line(f5, 2, options=plain.model_copy(update={name: value})))
        assert np.abs(other - sound).max() > 5e-3, name


@pytest.mark.parametrize("knobs", [{"steps": 1}, {"guidance": -1}, {"sway": 2.0}, {"nfe": 7}])
def test_knobs_have_limits(knobs: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(knobs))):
        F5Options.model_validate(knobs)
