from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from basics.audio import Samples, join
from basics.clock import TurnedClock
from basics.errors import Failure
from models.engine import Deck, Line, NoRoom, Piece, Work
from models.engines.tone import Cost, Score, Tone, ToneOptions
from voices.voice import Voice

TEXT = "Eleven notes, played at length."


def line(id: str = "a", text: str = TEXT, voice: str = "sine", seed: int = 1, **options: object) -> Line:
    conditioning = Tone().prepare(Voice(voice, "preset", voice))
    return Line(id, text, "en", conditioning, ToneOptions.model_validate(options), seed)


def spoken(deck: Deck, size: int | None = None) -> list[Piece]:
    pieces: list[Piece] = []
    while ready := deck.ready():
        for stage in deck.stages:
            work = [item for item in ready if item.stage == stage]
            if work:
                pieces += deck.run(
                    [replace(item, size=max(item.least, min(item.size, size or item.size))) for item in work]
                )
                break
    return pieces


def sound_of(pieces: list[Piece], id: str = "a") -> Samples:
    return join([piece.samples for piece in pieces if piece.line == id])


def alone(given: Line, score: Score | None = None, size: int | None = None) -> Samples:
    deck = Tone(score).open(1)
    deck.admit(given)
    return sound_of(spoken(deck, size), given.id)


def pitch_of(sound: Samples) -> float:
    rises = np.flatnonzero((sound[:-1] < 0) & (sound[1:] >= 0))
    return float((len(rises) - 1) * 24_000 / (rises[-1] - rises[0]))


def test_a_line_is_as_long_as_its_text() -> None:
    assert len(alone(line())) == round(Tone.card.seconds(TEXT) * 24_000)


def test_each_voice_has_its_own_note() -> None:
    assert pitch_of(alone(line(voice="low"))) == pytest.approx(220, abs=0.5)
    assert pitch_of(alone(line(voice="high", pitch=-12))) == pytest.approx(440, abs=0.5)


def test_chunks_of_any_size_join_to_the_same_sound() -> None:
    assert np.array_equal(alone(line(), size=1), alone(line()))
    assert np.array_equal(alone(line(), size=7), alone(line()))


def test_a_row_sounds_the_same_alone_and_in_a_batch() -> None:
    deck = Tone().open(3)
    for id in ("a", "b", "c"):
        deck.admit(line(id, text=TEXT * (1 + ord(id) % 3), seed=ord(id)))
    pieces = spoken(deck, 5)
    assert np.array_equal(sound_of(pieces, "b"), alone(line("b", text=TEXT * 3, seed=ord("b"))))


def test_the_same_seed_is_the_same_sound_and_another_is_not() -> None:
    assert np.array_equal(alone(line(seed=4)), alone(line(seed=4)))
    assert not np.array_equal(alone(line(seed=4)), alone(line(seed=5)))


def test_stages_pass_their_frames_on_and_only_the_last_gives_sound() -> None:
    deck = Tone(Score(stages=("prefill", "decode", "vocode"), least={"vocode": 4})).open(1)
    deck.admit(line())
    assert [(item.stage, item.size, item.seconds) for item in deck.ready()] == [("prefill", len(TEXT), 0.0)]
    assert deck.run(deck.ready()) == []
    (decode,) = deck.ready()
    assert deck.run([replace(decode, size=3)]) == []
    assert [item.stage for item in deck.ready()] == ["decode"], "three frames are under the vocoder's least"
    deck.run([replace(deck.ready()[0], size=1)])
    (vocode,) = [item for item in deck.ready() if item.stage == "vocode"]
    assert (vocode.size, vocode.least) == (4, 4)
    assert vocode.seconds == pytest.approx(0.08)
    (piece,) = deck.run([vocode])
    assert len(piece.samples) == 4 * 480
    assert not piece.last


def test_stages_and_one_stage_make_the_same_sound() -> None:
    staged = Score(stages=("prefill", "decode", "flow", "vocode"), least={"flow": 10, "vocode": 3})
    assert np.array_equal(alone(line(), staged, size=6), alone(line()))


def test_a_full_deck_has_no_room_until_a_line_is_dropped() -> None:
    deck = Tone(Score(room=2)).open(5)
    assert deck.room == 2
    deck.admit(line("a"))
    deck.admit(line("b"))
    with pytest.raises(NoRoom):
        deck.admit(line("c"))
    deck.drop("a")
    deck.drop("a")
    deck.admit(line("c"))
    assert {item.line for item in deck.ready()} == {"b", "c"}


def test_a_finished_line_leaves_by_itself() -> None:
    deck = Tone(Score(room=1)).open(1)
    deck.admit(line("a"))
    assert spoken(deck)[-1].last
    deck.admit(line("b"))


def test_costs_turn_the_clock_by_steps_and_rows() -> None:
    clock = TurnedClock()
    cost = Cost(start=1.0, step=0.1, row=0.01)
    deck = Tone(Score(spend=clock.turn, costs={"speak": cost})).open(2)
    deck.admit(line("a"))
    deck.admit(line("b"))
    deck.run([replace(item, size=size) for item, size in zip(deck.ready(), (10, 4), strict=True)])
    assert clock.now() == pytest.approx(1.0 + 10 * (0.1 + 0.02))


def test_a_line_fails_alone_where_it_was_told_to() -> None:
    deck = Tone().open(2)
    deck.admit(line("a", fail_after=0.5))
    deck.admit(line("b"))
    pieces = spoken(deck, 5)
    (broken,) = [piece for piece in pieces if piece.line == "a" and piece.last]
    assert broken.error is not None
    assert len(sound_of(pieces, "a")) == 12_000
    assert np.array_equal(sound_of(pieces, "b"), alone(line("b")))


def test_a_stalled_line_offers_nothing_more() -> None:
    deck = Tone().open(1)
    deck.admit(line(stall_after=0.2))
    assert not any(piece.last for piece in spoken(deck, 10))


def test_an_endless_line_is_ended_as_a_runaway() -> None:
    pieces = []
    deck = Tone().open(1)
    deck.admit(replace(line(endless=True), longest=3.0))
    pieces = spoken(deck, 50)
    assert len(sound_of(pieces)) == 3 * 24_000
    assert pieces[-1].error is not None
    assert pieces[-1].error.retryable


def test_rows_that_do_not_fit_raise_before_anything_moved() -> None:
    deck = Tone(Score(rows_that_fit=1)).open(2)
    deck.admit(line("a"))
    deck.admit(line("b"))
    before = deck.ready()
    with pytest.raises(Failure, match="out_of_memory"):
        deck.run(before)
    assert deck.ready() == before
    assert len(deck.run(before[:1])) == 1


def test_faults_are_raised_once_each_in_order() -> None:
    score = Score(
        run_faults=deque([Failure("internal", "once")]), load_faults=deque([Failure("out_of_memory", "full")])
    )
    kind = Tone.playing(score, replace(Tone.card, id="another"))
    with pytest.raises(Failure, match="full"):
        kind.load(None, "cpu", "")  # type: ignore[arg-type]
    tone = kind.load(None, "cpu", "")  # type: ignore[arg-type]
    assert tone.card.id == "another"
    deck = tone.open(1)
    deck.admit(line())
    with pytest.raises(Failure, match="once"):
        deck.run(deck.ready())
    assert spoken(deck)[-1].last


def test_asking_for_what_was_not_offered_is_a_fault_of_the_asker() -> None:
    deck = Tone().open(1)
    deck.admit(line())
    (offer,) = deck.ready()
    for wrong in (replace(offer, size=offer.size + 1), replace(offer, size=0), replace(offer, line="b")):
        with pytest.raises(ValueError, match="not offered"):
            deck.run([wrong])
    with pytest.raises(ValueError, match="each line once"):
        deck.run([offer, offer])
    assert isinstance(offer, Work)


def test_empty_text_is_refused() -> None:
    with pytest.raises(Failure, match="invalid_input"):
        Tone().open(1).admit(line(text="  "))


def test_a_recording_of_a_note_clones_to_that_note() -> None:
    at = np.arange(48_000) / 48_000
    voice = Voice("x", "library", "x", samples=np.sin(2 * np.pi * 330 * at).astype(np.float32), rate=48_000)
    assert Tone().prepare(voice)["hertz"][0] == pytest.approx(330, abs=0.1)


def test_a_blend_lies_between_its_parts() -> None:
    parts = ((Voice("low", "preset", "l"), 0.75), (Voice("high", "preset", "h"), 0.25))
    assert Tone().prepare(Voice("x", "blend", "x", parts=parts))["hertz"][0] == pytest.approx(385)


def test_an_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(Failure, match="tone has no voice `nobody`"):
        Tone().prepare(Voice("nobody", "preset", "n"))


def test_turns_are_spoken_in_one_line_each_with_its_own_note() -> None:
    tone = Tone()
    turns = tuple((TEXT, tone.prepare(Voice(id, "preset", id))) for id in ("low", "high"))
    sound = alone(replace(line(), turns=turns))
    half = len(sound) // 2
    assert pitch_of(sound[:half]) == pytest.approx(220, abs=1)
    assert pitch_of(sound[half:]) == pytest.approx(880, abs=1)
