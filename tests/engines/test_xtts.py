"""XTTS v2 over tiny random weights: lines together against lines alone, and whatever may go wrong."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import join
from basics.errors import Failure
from models.engine import NoRoom, Piece
from models.engines.xtts import Xtts, XttsOptions
from tests.engines import tiny_xtts
from tests.engines.xtts_lines import TEXTS, alone, apart, line, preset, recording, run, sound_of
from voices.voice import Voice

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

FRAMES = 60
"""Tokens after which a tiny line ends, about."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xtts.make(tmp_path_factory.mktemp("weights") / "xtts-v2", frames=FRAMES)


@pytest.fixture(scope="module")
def xtts(folder: Path) -> Xtts:
    return Xtts.load(folder, "cpu", "")


def tokens(xtts: Xtts, numbers: tuple[int, ...]) -> dict[int, list[int]]:
    """Of lines thought of together, in turns of other sizes."""
    thinker, reader = xtts._parts.thinker, xtts._parts.reader
    decoder = thinker.decoder(len(numbers))
    for number in numbers:
        given = line(xtts, number)
        knobs = given.options
        assert isinstance(knobs, XttsOptions)
        wanted = _knobs(knobs)
        thinker.join(decoder, str(number), reader.ids(*TEXTS[number]), given.conditioning, wanted, given.seed, 300)
    said = {int(id): each.tokens[:, 0].tolist() for id, each in decoder.prefill([str(n) for n in numbers]).items()}
    while going := {id: 7 + int(id) for id, row in decoder.rows.items() if not row.done}:
        for id, each in decoder.decode(going).items():
            said[int(id)] += each.tokens[:, 0].tolist()
    return said


def _knobs(asked: XttsOptions) -> Any:
    from models.runtime.sampler import Knobs

    return Knobs(asked.temperature, asked.top_k, asked.top_p, 0.0, asked.repetition_penalty)


# Lines


def test_eight_ragged_lines_are_thought_of_as_each_is_alone(xtts: Xtts) -> None:
    said = tokens(xtts, tuple(range(8)))
    for number in range(8):
        assert said[number] == tokens(xtts, (number,))[number], number
    assert len({len(each) for each in said.values()}) > 1


def test_eight_ragged_lines_sound_as_each_does_alone(xtts: Xtts) -> None:
    lines = [line(xtts, number) for number in range(8)]
    deck = xtts.open(8)
    for each in lines:
        deck.admit(each)
    pieces = run(deck)
    for each in lines:
        assert apart(sound_of(pieces, each.id), alone(xtts, each)) < 1e-3, each.id


def test_a_line_sounds_the_same_whoever_comes_goes_or_waits_at_whatever_turn(xtts: Xtts) -> None:
    stays, goes, comes = (line(xtts, number, id=id) for number, id in ((2, "stays"), (3, "goes"), (4, "comes")))
    whole, other = alone(xtts, stays), alone(xtts, comes)
    turn, gone = 0, False
    while not gone:
        turn += 1
        deck = xtts.open(2)
        deck.admit(stays)
        deck.admit(goes)
        pieces = run(deck, (9,), turn)
        gone = any(piece.last and piece.line == "stays" for piece in pieces)
        deck.drop("goes")
        deck.admit(comes)
        pieces += run_only(deck, "comes", turn)
        pieces += run(deck, (9, 30))
        assert apart(sound_of(pieces, "stays"), whole) < 1e-3, turn
        assert apart(sound_of(pieces, "comes"), other) < 1e-3, turn
    assert turn > 8


def run_only(deck: Any, id: str, turns: int) -> list[Piece]:
    """All others wait."""
    pieces: list[Piece] = []
    for _ in range(turns):
        if mine := [work for work in deck.ready() if work.line == id]:
            pieces += deck.run([replace(mine[0], size=mine[0].least)])
    return pieces


@pytest.mark.parametrize("sizes", [(1,), (17, 90)])
def test_a_stream_is_what_the_line_is_at_once(xtts: Xtts, sizes: tuple[int, ...]) -> None:
    given = line(xtts, 7)
    assert apart(alone(xtts, given, sizes), alone(xtts, given)) < 1e-3


def test_the_first_sound_comes_long_before_the_last_token(xtts: Xtts) -> None:
    deck = xtts.open(1)
    deck.admit(line(xtts, 2, speed=1.0))
    pieces: list[Piece] = []
    said = 0
    while not pieces:
        latest = max(deck.ready(), key=lambda work: deck.stages.index(work.stage))
        said += latest.least if latest.stage == "decode" else 1
        pieces = deck.run([replace(latest, size=latest.least)])
    assert not pieces[0].last
    assert 0.3 < len(pieces[0].samples) / 24_000 < 0.4
    assert said <= 14


def test_another_seed_is_another_reading_and_the_same_seed_the_same(xtts: Xtts) -> None:
    given = line(xtts, 2)
    assert apart(alone(xtts, given), alone(xtts, given)) < 1e-4
    assert apart(alone(xtts, given), alone(xtts, replace(given, seed=1))) > 0.01


def test_every_knob_is_heard(xtts: Xtts) -> None:
    plain = alone(xtts, line(xtts, 2, options=XttsOptions()))
    knobs = ({"temperature": 0.0}, {"repetition_penalty": 1.0}, {"top_k": 2}, {"top_p": 0.1})
    for knob in knobs:
        options = XttsOptions.model_validate(knob)
        assert apart(alone(xtts, line(xtts, 2, options=options)), plain) > 0.01, knob


def test_faster_speech_is_as_much_shorter(xtts: Xtts) -> None:
    slow, fast = (len(alone(xtts, line(xtts, 0, speed=speed))) for speed in (0.5, 2.0))
    assert slow / fast == pytest.approx(4.0, rel=0.05)


def test_a_text_is_read_in_its_language(xtts: Xtts) -> None:
    given = line(xtts, 0)
    assert apart(alone(xtts, given), alone(xtts, replace(given, language="nl"))) > 0.01
    assert apart(alone(xtts, given), alone(xtts, replace(given, language="en-gb"))) < 1e-4


def test_a_line_that_does_not_end_is_an_error_that_names_its_limit(xtts: Xtts) -> None:
    deck = xtts.open(2)
    deck.admit(line(xtts, 2, id="wild", longest=0.5))
    deck.admit(line(xtts, 0, id="tame"))
    pieces = run(deck)
    (error,) = [piece.error for piece in pieces if piece.line == "wild" and piece.last]
    assert error is not None
    assert (error.code, error.retryable) == ("internal", True)
    assert "0.4" in error.message
    assert apart(sound_of(pieces, "tame"), alone(xtts, line(xtts, 0))) < 1e-3


@pytest.mark.parametrize(("text", "said"), [("?!", "no letter"), ("word " * 90, "401 at a time")])
def test_what_cannot_be_said_is_refused_and_leaves_its_place_free(xtts: Xtts, text: str, said: str) -> None:
    deck = xtts.open(1)
    with pytest.raises(Failure, match=said) as error:
        deck.admit(line(xtts, 0, text=text))
    assert (error.value.code, error.value.field) == ("invalid_input", "text")
    deck.admit(line(xtts, 0))
    with pytest.raises(NoRoom):
        deck.admit(line(xtts, 1))


def test_sums_out_of_range_end_their_line_and_no_other(xtts: Xtts) -> None:
    broken = {**line(xtts, 0).conditioning, "speaker_embedding": np.full((1, 512, 1), np.inf, np.float32)}
    deck = xtts.open(2)
    deck.admit(line(xtts, 0, id="wild", conditioning=broken))
    deck.admit(line(xtts, 0, id="tame"))
    pieces = run(deck)
    (error,) = [piece.error for piece in pieces if piece.line == "wild" and piece.last]
    assert error is not None
    assert "DTYPE" in error.message
    assert sound_of(pieces, "tame").size


@pytest.mark.parametrize(
    "knobs",
    [{"temperature": -1}, {"top_p": 0}, {"top_k": -1}, {"length_penalty": 1.0}, {"num_beams": 2}, {"speed": 1.0}],
)
def test_knobs_have_limits_and_those_without_a_meaning_here_are_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(knobs))):
        XttsOptions.model_validate(knobs)


# Voices


def test_voices_differ_and_are_not_changed_by_being_spoken_in(xtts: Xtts) -> None:
    given = line(xtts, 0)
    kept = {name: each.copy() for name, each in given.conditioning.items()}
    first = alone(xtts, given)
    assert apart(first, alone(xtts, replace(given, conditioning=xtts.prepare(preset("alma-maria"))))) > 0.01
    assert apart(first, alone(xtts, replace(given, conditioning=xtts.prepare(recording(1))))) > 0.01
    assert apart(first, alone(xtts, given)) < 1e-4
    assert all(np.array_equal(given.conditioning[name], kept[name]) for name in kept)


def test_the_singing_half_hears_the_voice_too(xtts: Xtts) -> None:
    given = line(xtts, 0)
    other = {**given.conditioning, "speaker_embedding": xtts.prepare(recording(1))["speaker_embedding"]}
    assert apart(alone(xtts, given), alone(xtts, replace(given, conditioning=other))) > 0.01


def test_upstreams_own_voices_are_presets_by_their_names(xtts: Xtts, folder: Path) -> None:
    import torch

    saved = torch.load(folder / "speakers_xtts.pth", weights_only=True)
    for id, name in (
        ("claribel-dervla", "Claribel Dervla"),
        ("alma-maria", "Alma María"),
        ("eugenio-mataraci", "Eugenio Mataracı"),
    ):
        found = xtts.prepare(preset(id))
        assert all(np.array_equal(found[part], saved[name][part].numpy()) for part in found)
    assert len(Xtts.card.presets) == 59


def test_a_voice_of_its_own_is_there_where_upstreams_are_not(xtts: Xtts) -> None:
    with pytest.raises(Failure, match="weights_missing"):
        xtts.prepare(preset("nova-hogarth"))
    assert alone(xtts, line(xtts, 0, conditioning=xtts.prepare(preset("heart")))).size


def test_a_voice_is_of_its_own_recording_and_of_nothing_before_it(xtts: Xtts) -> None:
    once = xtts.prepare(recording(1))
    xtts.prepare(recording(2))
    again = xtts.prepare(recording(1))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert all(each.dtype == np.float32 for each in once.values())
    assert [each.shape for each in once.values()] == [(1, 32, tiny_xtts.WIDTH), (1, 512, 1)]


def test_more_of_a_recording_is_more_of_the_voice(xtts: Xtts) -> None:
    longer, shorter = (xtts.prepare(recording(1, seconds))["gpt_cond_latent"] for seconds in (12.0, 4.0))
    assert np.abs(longer - shorter).max() > 1e-3


@pytest.mark.parametrize(
    ("voice", "code"),
    [
        (recording(1, 0.2), "voice_unusable"),
        (Voice("d", "design", "d", description="a calm old man"), "voice_unusable"),
        (Voice("nobody", "preset", "n"), "unknown_voice"),
    ],
)
def test_voices_that_cannot_be_used_are_refused(xtts: Xtts, voice: Voice, code: str) -> None:
    with pytest.raises(Failure) as error:
        xtts.prepare(voice)
    assert (error.value.code, error.value.field) == (code, "voice")


# The deck


@pytest.fixture
def three(xtts: Xtts) -> Iterator[Any]:
    deck = xtts.open(3)
    for number in range(3):
        deck.admit(line(xtts, number))
    yield deck
    deck.close()
    assert list(deck.ready()) == []


def test_a_turn_moves_exactly_the_rows_it_names(three: Any) -> None:
    three.run([work for work in three.ready() if work.line != "line-1"])
    assert {work.line for work in three.ready() if work.stage == "prefill"} == {"line-1"}


def test_a_line_dropped_at_any_stage_leaves_nothing(three: Any) -> None:
    for _ in range(4):
        ready = three.ready()
        three.run([replace(work, size=work.least) for work in ready if work.stage == ready[0].stage])
    for number in range(3):
        three.drop(f"line-{number}")
        three.drop(f"line-{number}")
    assert list(three.ready()) == []


def test_work_for_a_line_that_left_is_no_work(three: Any) -> None:
    ready = three.ready()
    three.drop("line-0")
    assert three.run(ready) == []
    assert {work.line for work in three.ready()} == {"line-1", "line-2"}


def test_in_half_precision_it_speaks_too(folder: Path) -> None:
    xtts = Xtts.load(folder, "cpu", "bf16")
    sound = alone(xtts, line(xtts, 0))
    assert np.isfinite(sound).all()
    assert 0.01 < np.abs(join([sound])).max() <= 1.0


def test_memory_is_what_the_weights_take(xtts: Xtts, folder: Path) -> None:
    assert 0.5 < xtts.memory() * 1e9 / (folder / "model.pth").stat().st_size < 1.1
