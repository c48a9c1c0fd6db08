"""The three Chatterboxes over tiny random weights: lines together against lines alone, and whatever may go wrong."""

import asyncio
import random
import shutil
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples, join
from basics.errors import Failure
from models.engine import Line, NoRoom, Piece
from models.engines.chatterbox import Chatterbox
from models.engines.chatterbox_deck import ChatterboxDeck
from models.listener import Listener
from models.resident import Resident
from models.warming import warm_up
from tests.engines import tiny_chatterbox
from tests.engines.chatterbox_lines import (
    FRAMES,
    KINDS,
    alike,
    alone,
    eight,
    line,
    loaded,
    recording,
    run,
    sound_of,
    together,
    turn,
    with_knobs,
)
from voices.voice import Voice

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatterbox.make(tmp_path_factory.mktemp("weights") / "chatterbox", frames=FRAMES)


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, weights: Path) -> Chatterbox:
    return loaded(weights / request.param)


@pytest.fixture(scope="module")
def english(weights: Path) -> Chatterbox:
    return loaded(weights / "english")


def test_eight_ragged_lines_sound_as_each_does_alone(engine: Chatterbox) -> None:
    lines = eight(engine)
    pieces = together(engine, lines)
    for each in lines:
        assert alike(sound_of(pieces, each.id), alone(engine, each)), each.id
    assert len({len(sound_of(pieces, each.id)) for each in lines}) > 1


def test_a_line_sounds_the_same_whoever_comes_goes_or_is_cancelled_at_whatever_turn(english: Chatterbox) -> None:
    quick = [with_knobs(each, flow_steps=2) for each in eight(english)[1:4]]
    stays, goes, comes = (replace(each, id=id) for each, id in zip(quick, ("s", "g", "c"), strict=True))
    whole = {each.id: alone(english, each, (13,)) for each in (stays, comes)}
    turns = 0
    while turns < 30:
        turns += 1
        deck = english.open(2)
        deck.admit(stays)
        deck.admit(goes)
        pieces = run(deck, (13,), turns)
        deck.drop("g")
        gone = not any(piece.line == "s" and piece.last for piece in pieces)
        deck.admit(comes)
        pieces += run(deck, (13,))
        assert alike(sound_of(pieces, "s"), whole["s"]), turns
        assert alike(sound_of(pieces, "c"), whole["c"]), turns
        if not gone:
            break
    assert turns > 5


def test_lines_join_wait_and_are_cancelled_by_chance_and_those_that_stay_sound_as_alone(engine: Chatterbox) -> None:
    """In one pass each, so that chunks, which fall differently in every company, leave the sound alone."""
    chance = random.Random(7)
    coming = [with_knobs(each, one_pass=True, flow_steps=2) for each in eight(engine)]
    lines = {each.id: each for each in coming}
    deck, pieces, cancelled = engine.open(3), list[Piece](), set[str]()
    while coming or deck.ready():
        aboard = {work.line for work in deck.ready()}
        if coming and len(aboard) < 3 and chance.random() < 0.5:
            deck.admit(coming.pop())
        pieces += turn(deck, chance)
        for id in sorted(aboard) if chance.random() < 0.03 else ():
            deck.drop(id)
            cancelled.add(id)
            break
    ended = {piece.line for piece in pieces if piece.last}
    assert ended | cancelled == set(lines)
    for id in sorted(ended)[:4]:
        assert alike(sound_of(pieces, id), alone(engine, lines[id])), id


def test_the_first_sound_comes_long_before_the_last_token(english: Chatterbox) -> None:
    deck = english.open(1)
    deck.admit(line(english))
    pieces: list[Piece] = []
    while not pieces:
        ready = deck.ready()
        latest = max(ready, key=lambda work: deck.stages.index(work.stage))
        pieces = deck.run([replace(latest, size=latest.least)])
    assert not pieces[0].last
    assert 0.2 < len(pieces[0].samples) / 24_000 < 0.35


def test_in_one_pass_there_is_one_piece(engine: Chatterbox) -> None:
    deck = engine.open(1)
    deck.admit(line(engine, one_pass=True))
    pieces = run(deck, (9,))
    assert [piece.last for piece in pieces] == [True]
    assert len(pieces[0].samples) > 4000


def test_a_stream_is_as_long_as_its_whole(engine: Chatterbox) -> None:
    whole = alone(engine, line(engine, one_pass=True))
    for sizes in ((1,), (9,), (40, 3)):
        assert len(alone(engine, line(engine), sizes)) == len(whole)


def test_a_recording_is_said_again_in_the_voice(english: Chatterbox) -> None:
    source = recording(3, 2.0).samples
    assert source is not None
    given = replace(line(english, text=""), source=source)
    deck = english.open(2)
    deck.admit(given)
    deck.admit(line(english, "b"))
    pieces = run(deck)
    assert len(sound_of(pieces)) == pytest.approx(48_000, abs=2000)
    assert alike(sound_of(pieces, "b"), alone(english, line(english)))
    other = replace(given, conditioning=english.prepare(recording(1)))
    assert not alike(alone(english, other), sound_of(pieces))


def test_voices_differ_and_are_not_changed_by_being_spoken_in(engine: Chatterbox) -> None:
    given = line(engine)
    kept = {name: each.copy() for name, each in given.conditioning.items()}
    first = alone(engine, given)
    assert not alike(first, alone(engine, replace(given, conditioning=engine.prepare(recording(1)))))
    assert alike(first, alone(engine, given))
    assert all(np.array_equal(given.conditioning[name], kept[name]) for name in kept)


def test_every_knob_is_heard(engine: Chatterbox) -> None:
    plain = alone(engine, line(engine))
    knobs = {"temperature": 2.0, "repetition_penalty": 5.0, "top_p": 0.1, "flow_steps": 3, "one_pass": True}
    if engine.card.id == "chatterbox-turbo":
        knobs["top_k"] = 2
    else:
        knobs |= {"exaggeration": 1.9, "cfg_weight": 0.0, "min_p": 0.9, "flow_guidance": 0.0}
    assert set(knobs) == set(engine.Options.model_fields)
    assert engine._wish(line(engine, repetition_penalty=5.0)).knobs.penalty == 5.0
    # What is random repeats nothing, a whole line is one pass anyway, and a mood moves a tiny network by too little:
    # test_chatterbox_t3.py compares moods with upstream's.
    unheard = {"repetition_penalty", "one_pass", "exaggeration"}
    if "exaggeration" in knobs:
        assert engine._wish(line(engine, exaggeration=1.9)).style.exaggeration == 1.9
    for name, value in knobs.items():
        if name not in unheard:
            assert not alike(alone(engine, line(engine, **{name: value})), plain), name
    assert alike(alone(engine, line(engine, one_pass=True), (9,)), plain)


def test_a_line_that_does_not_end_is_a_runaway_worth_another_try(weights: Path, english: Chatterbox) -> None:
    deck = english.open(1)
    deck.admit(replace(line(english), longest=0.4))
    *_, last = run(deck)
    assert last.error is not None
    assert (last.last, last.error.retryable) == (True, True)
    assert list(deck.ready()) == []


def test_a_full_card_is_out_of_memory_and_the_deck_lives_on(english: Chatterbox) -> None:
    import torch  # type: ignore[import-not-found,unused-ignore]

    class Full:
        """A decoder that finds no memory, once."""

        def __init__(self, decoder: Any) -> None:
            self.decoder, self.full = decoder, True

        def __getattr__(self, name: str) -> Any:
            return getattr(self.decoder, name)

        def decode(self, wanted: Any) -> Any:
            if self.full:
                self.full = False
                raise torch.OutOfMemoryError("CUDA out of memory")
            return self.decoder.decode(wanted)

    deck = ChatterboxDeck(english._parts, english.card, 1, english._wish)
    deck._decoder = Full(deck._decoder)  # type: ignore[assignment,unused-ignore]
    deck.admit(line(english))
    with pytest.raises(Failure, match="no memory for 1 line") as error:
        run(deck)
    assert error.value.code == "out_of_memory"
    assert alike(sound_of(run(deck)), alone(english, line(english)))


def test_a_card_too_small_for_all_rows_gets_a_deck_of_fewer_and_one_too_small_for_any_says_so(
    english: Chatterbox,
) -> None:
    import torch

    class Tight:
        """A thinker on a card with memory for so many lines."""

        def __init__(self, most: int) -> None:
            self.most = most

        def decoder(self, room: int) -> Any:
            if room > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return english._parts.thinker.decoder(room)

    for most, room in ((16, 16), (9, 4), (1, 1)):
        parts = replace(english._parts, thinker=Tight(most))  # type: ignore[arg-type,unused-ignore]
        assert ChatterboxDeck(parts, english.card, 16, english._wish).room == room
    parts = replace(english._parts, thinker=Tight(0))  # type: ignore[arg-type,unused-ignore]
    with pytest.raises(Failure, match="no memory for a single line"):
        ChatterboxDeck(parts, english.card, 16, english._wish)


def test_text_piece_by_piece_and_voices_it_does_not_have_are_refused(engine: Chatterbox) -> None:
    with pytest.raises(Failure, match="not_supported"):
        engine.open(1).feed("a", "more", last=True)
    for voice, code in (
        (Voice("nobody", "preset", "nobody"), "unknown_voice"),
        (Voice("deep", "design", "deep", description="A deep voice."), "voice_unusable"),
    ):
        with pytest.raises(Failure) as error:
            engine.prepare(voice)
        assert error.value.code == code


def test_a_text_that_is_too_long_or_says_nothing_is_refused_and_takes_no_place(engine: Chatterbox) -> None:
    deck = engine.open(1)
    for text in ("word " * 300, "...", "🙂"):
        with pytest.raises(Failure, match="invalid_input"):
            deck.admit(line(engine, text=text))
    deck.admit(line(engine))
    with pytest.raises(NoRoom):
        deck.admit(line(engine, "b"))


async def test_a_resident_warms_up_and_speaks_to_four_listeners_at_once(english: Chatterbox) -> None:
    resident = Resident(english)
    try:
        await asyncio.to_thread(warm_up, resident)
        lines = eight(english)[:4]
        heard = await asyncio.gather(*(_heard(resident, each) for each in lines))
    finally:
        await asyncio.to_thread(resident.close)
    for each, sound in zip(lines, heard, strict=True):
        assert len(sound) == len(alone(english, each))


async def _heard(resident: Resident, given: Line) -> Samples:
    return join([piece.samples async for piece in resident.speak(given, Listener("stream"))])


def test_a_folder_that_cannot_be_written_to_is_enough_and_nothing_is_fetched(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    for name in KINDS:
        folder = tmp_path / name
        shutil.copytree(weights / name, folder)
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        for path in (*folder.iterdir(), folder):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
        engine = loaded(folder)
        given = line(engine)
        assert alone(engine, replace(given, conditioning=engine.prepare(recording(2)))).size
        assert engine.watermark() is not None
        folder.chmod(0o755)
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_missing_and_damaged_files_are_named(weights: Path, tmp_path: Path) -> None:
    names = {"english": (*Chatterbox.files, "conds.pt"), "multilingual": ("ve.pt", "s3gen.pt")}
    for kind, damaged in names.items():
        for name in damaged:
            folder = tmp_path / f"{kind}-{name}" / kind
            shutil.copytree(weights / kind, folder)
            (folder / name).write_bytes(b"half a file")
            with pytest.raises(Failure, match="cannot be read") as error:
                loaded(folder).prepare(Voice("default", "preset", "default"))
            assert (error.value.code, name in error.value.message) == ("weights_missing", True)
            (folder / name).unlink()
            with pytest.raises(Failure, match="is not on this worker"):
                loaded(folder).prepare(Voice("default", "preset", "default"))


def test_other_precisions_and_absent_cards_are_misconfigured(weights: Path) -> None:
    for device, dtype, match in (("cpu", "int3", "DTYPE"), ("cuda:0", "", "DEVICE=cpu")):
        with tiny_chatterbox.small(), pytest.raises(Failure, match=match) as error:
            Chatterbox.load(weights / "english", device, dtype)
        assert error.value.code == "misconfigured"


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_on_a_cpu_only_the_thinking_weights_are_narrow(weights: Path, english: Chatterbox, dtype: str) -> None:
    with tiny_chatterbox.small():
        narrow = Chatterbox.load(weights / "english", "cpu", dtype)
    assert {str(each.dtype) for each in narrow._parts.sound.net.flow.parameters()} == {"torch.float32"}
    assert narrow.memory() < english.memory()
    said = alone(narrow, line(narrow))
    assert len(said)
    assert np.array_equal(said, alone(narrow, line(narrow)))


def test_what_it_says_can_be_marked_and_the_mark_be_found(engine: Chatterbox) -> None:
    said = np.tile(alone(engine, line(engine)), 4)
    mark = engine.watermark()
    assert mark.found(mark.mark(said, 24_000), 24_000) > 0.9
