"""What every built engine must keep, whoever wrote it. An engine with files to fetch is in `make engines` only."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from basics.audio import Samples, join
from basics.errors import Failure
from models.catalogue import card, engine_class
from models.engine import Deck, Engine, Line, NoRoom, Piece
from models.groups import Entry, table
from tests.engines import tiny_chatterbox, tiny_f5, tiny_pocket, tiny_xtts, weights
from voices.voice import Voice

TEXT = "Good evening, and welcome."
CHATTERBOX = {"chatterbox": "english", "chatterbox-multilingual": "multilingual", "chatterbox-turbo": "turbo"}
"""Folders of its three models."""


def chatterbox(folder: str) -> Callable[[Path], Path]:
    def made(place: Path) -> Path:
        whole = place.with_name("chatterbox")
        return (whole if whole.is_dir() else tiny_chatterbox.make(whole, frames=40)) / folder

    return made


FETCHED: dict[str, Callable[[Path], Path]] = {
    "kokoro": lambda _: weights.kokoro(),
    "pocket-tts": tiny_pocket.make,
    "f5-tts": tiny_f5.make,
    "xtts-v2": lambda place: tiny_xtts.make(place, frames=40),
    **{id: chatterbox(folder) for id, folder in CHATTERBOX.items()},
}
"""Where an engine's files come from in tests, given an empty folder; the others have them in their package."""
WITHIN = dict.fromkeys(CHATTERBOX, tiny_chatterbox.small)
"""What a tiny engine is loaded in."""
RANDOM = {"pocket-tts", "xtts-v2", *CHATTERBOX}
"""Whose weights in tests were never trained: they speak, and nobody can say for how long."""

BUILT = [
    pytest.param(
        entry,
        id=entry.id,
        marks=[pytest.mark.environment(entry.environment), *([pytest.mark.engine] if entry.needs_weights else [])],
    )
    for entry in table()
    if entry.engine is not None
]


@pytest.fixture(scope="module", params=BUILT)
def entry(request: pytest.FixtureRequest) -> Entry:
    assert isinstance(request.param, Entry)
    return request.param


@pytest.fixture(scope="module")
def engine(entry: Entry, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    place = tmp_path_factory.mktemp("weights")
    files = FETCHED[entry.id](place) if entry.id in FETCHED else place
    with WITHIN.get(entry.id, nullcontext)():
        return engine_class(entry).load(files, "cpu", "")


@pytest.fixture
def deck(engine: Engine) -> Iterator[Deck]:
    opened = engine.open(2)
    yield opened
    opened.close()


def voices(engine: Engine) -> Iterator[Voice]:
    """The presets whose files are here."""
    for preset in engine.card.presets:
        voice = Voice(preset.id, "preset", preset.id, preset.language)
        try:
            engine.prepare(voice)
        except Failure as error:
            if error.code != "weights_missing":
                raise
        else:
            yield voice


def line(engine: Engine, id: str = "a", text: str = TEXT, seed: int = 7) -> Line:
    return Line(id, text, engine.card.languages[0], engine.prepare(next(voices(engine))), engine.Options(), seed)


def run_out(deck: Deck) -> list[Piece]:
    pieces: list[Piece] = []
    while ready := deck.ready():
        stage = ready[0].stage
        pieces += deck.run([work for work in ready if work.stage == stage])
    return pieces


def spoken(engine: Engine, given: Line) -> Samples:
    deck = engine.open(1)
    deck.admit(given)
    pieces = run_out(deck)
    deck.close()
    assert [piece.error for piece in pieces if piece.error] == []
    return join([piece.samples for piece in pieces])


def test_sound_is_mono_float32_within_one(engine: Engine) -> None:
    sound = spoken(engine, line(engine))
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert np.isfinite(sound).all()
    assert 0.01 < np.abs(sound).max() <= 1.0


def test_a_line_plays_about_as_long_as_the_card_foretells(engine: Engine) -> None:
    if engine.card.id in RANDOM:
        pytest.skip("its weights were never trained")
    text = "The harbour was quiet when the first boats came in, and nobody spoke."
    seconds = len(spoken(engine, line(engine, text=text))) / engine.card.rate
    assert seconds == pytest.approx(engine.card.seconds(text), rel=0.4)


def test_pieces_come_in_order_and_the_last_is_the_last(engine: Engine, deck: Deck) -> None:
    deck.admit(line(engine))
    pieces = run_out(deck)
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert list(deck.ready()) == []


def test_the_same_seed_is_the_same_sound_whatever_was_spoken_before(engine: Engine, deck: Deck) -> None:
    first = spoken(engine, line(engine))
    deck.admit(line(engine, "b", text="Something else entirely.", seed=1))
    run_out(deck)
    deck.admit(line(engine))
    again = join([piece.samples for piece in run_out(deck)])
    assert len(first) == len(again)
    assert np.allclose(first, again, rtol=0, atol=0 if engine.card.repeatable == "exact" else 1e-4)


def test_an_unknown_knob_is_refused_by_name(entry: Entry) -> None:
    with pytest.raises(ValidationError, match="wobble"):
        engine_class(entry).Options.model_validate({"wobble": 1})


def test_the_knobs_schema_is_json(entry: Entry) -> None:
    schema = json.loads(json.dumps(engine_class(entry).Options.model_json_schema()))
    assert all("description" in knob for knob in schema["properties"].values())


@pytest.mark.parametrize("text", ["", "   \n "])
def test_empty_text_is_refused(engine: Engine, deck: Deck, text: str) -> None:
    try:
        deck.admit(line(engine, text=text))
        (error,) = [piece.error for piece in run_out(deck)]
    except Failure as refusal:
        error = refusal
    assert error is not None
    assert (error.code, error.field) == ("invalid_input", "text")
    assert list(deck.ready()) == []


def test_a_full_deck_has_no_room_and_a_dropped_line_leaves_its_place_at_once(engine: Engine, deck: Deck) -> None:
    ids = [f"line-{number}" for number in range(deck.room)]
    for id in ids:
        deck.admit(line(engine, id))
    with pytest.raises(NoRoom):
        deck.admit(line(engine, "one more"))
    deck.drop(ids[0])
    deck.drop(ids[0])
    deck.admit(line(engine, "one more"))
    assert {work.line for work in deck.ready()} == {*ids[1:], "one more"}


def test_a_closed_deck_has_nothing_left_to_do(engine: Engine) -> None:
    deck = engine.open(1)
    deck.admit(line(engine))
    deck.close()
    assert list(deck.ready()) == []


def test_text_piece_by_piece_is_refused_where_the_card_does_not_promise_it(engine: Engine, deck: Deck) -> None:
    if engine.card.live:
        pytest.skip("it takes text piece by piece")
    deck.admit(line(engine))
    with pytest.raises(Failure, match="not_supported"):
        deck.feed("a", "more", last=True)


def test_text_piece_by_piece_sounds_as_it_does_at_once_where_the_card_promises_it(engine: Engine, deck: Deck) -> None:
    if not engine.card.live:
        pytest.skip("it does not take text piece by piece")
    deck.admit(replace(line(engine, text=""), live=True))
    pieces = []
    for part in (TEXT[:7], TEXT[7:], ""):
        deck.feed("a", part, last=not part)
        pieces += run_out(deck)
    np.testing.assert_array_equal(join([piece.samples for piece in pieces]), spoken(engine, line(engine)))
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_every_preset_prepares_into_plain_arrays_or_says_what_to_fetch(engine: Engine) -> None:
    found = list(voices(engine))
    assert found
    for voice in found:
        conditioning = engine.prepare(voice)
        assert conditioning
        assert all(array.dtype.kind in "fiu" and array.flags.c_contiguous for array in conditioning.values())


def test_a_voice_it_does_not_have_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(Failure, match="`nobody`") as error:
        engine.prepare(Voice("nobody", "preset", "n"))
    assert (error.value.code, error.value.field) == ("unknown_voice", "voice")


def test_a_recording_is_refused_where_the_card_does_not_clone(engine: Engine) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 144_000).astype(np.float32)
    recorded = Voice("alice", "library", "a", transcript="Hello.", samples=noise, rate=24_000)
    if engine.card.clones:
        assert engine.prepare(recorded)
    else:
        with pytest.raises(Failure, match="voice_unusable"):
            engine.prepare(recorded)


def test_every_language_of_the_card_is_spoken(engine: Engine) -> None:
    for language in engine.card.languages:
        assert len(spoken(engine, replace(line(engine, text="Anna, 12."), language=language))) > 1000


def test_native_speed_changes_how_long_it_plays(engine: Engine) -> None:
    if engine.card.speed is None:
        pytest.skip("sound is stretched instead")
    slow, fast = (len(spoken(engine, replace(line(engine), speed=speed))) for speed in engine.card.speed)
    assert slow > 1.5 * fast


def test_blends_lie_between_voices_where_the_card_promises_them(engine: Engine) -> None:
    if not engine.card.blends:
        pytest.skip("it does not blend")
    one, other, *_ = voices(engine)
    blend = Voice("blend", "blend", "b", parts=((one, 0.25), (other, 0.75)))
    for name, mixed in engine.prepare(blend).items():
        ends = [engine.prepare(voice)[name].astype(np.float64) for voice in (one, other)]
        assert np.allclose(mixed, 0.25 * ends[0] + 0.75 * ends[1], rtol=1e-5, atol=1e-6)


def test_the_catalogues_card_is_the_engines(entry: Entry, engine: Engine) -> None:
    assert replace(card(entry), revision="") == replace(engine.card, revision="")
    assert engine.memory() >= 0


def test_wrong_weights_are_never_an_engine(entry: Entry, tmp_path: Path) -> None:
    if not entry.needs_weights:
        pytest.skip("its weights are in its package")
    with pytest.raises(Failure, match="weights_missing"):
        engine_class(entry).load(tmp_path, "cpu", "")
