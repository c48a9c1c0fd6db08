"""The runner: lines come, move and go, on a clock that only their own work turns."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import join
from basics.clock import TurnedClock
from basics.errors import Failure
from models.berths import Berth
from models.boarding import MANY
from models.engine import Deck, Line, NoRoom, Piece
from models.engines.tone import Cost, Score, Tone
from models.runner import TURNS_LOST, Runaway, Runner
from models.scheduler import Rules
from tests.models.decks import Endless
from tests.models.rehearsal import COSTS, STAGES, Ear, Rehearsal, Stage, line


def sound(ear: Ear) -> np.ndarray[Any, Any]:
    return join([piece.samples for piece in ear.pieces])


def alone(spoken: Line) -> np.ndarray[Any, Any]:
    rehearsal = Rehearsal()
    ear = rehearsal.ear("file")
    rehearsal.speaks(ear, spoken)
    rehearsal.until_idle()
    return sound(ear)


def test_a_line_is_heard_whole_and_ends_once() -> None:
    rehearsal = Rehearsal()
    ear = rehearsal.ear()
    rehearsal.speaks(ear, line("a", 3.0))
    rehearsal.until_idle()
    assert ear.seconds == pytest.approx(3.0, abs=0.1)
    assert ear.ended == 1
    assert rehearsal.runner.numbers.aboard == rehearsal.runner.numbers.waiting == 0


def test_rows_do_not_hear_each_other() -> None:
    rehearsal = Rehearsal()
    ears = {f"row{number}": rehearsal.ear("stream" if number % 2 else "file") for number in range(6)}
    for number, (name, ear) in enumerate(ears.items()):
        rehearsal.speaks(ear, line(name, 1.0 + number))
    rehearsal.until_idle()
    for number, (name, ear) in enumerate(ears.items()):
        np.testing.assert_array_equal(sound(ear), alone(line(name, 1.0 + number)))


def test_started_streams_have_no_gap_while_too_many_ask() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs={**COSTS, "decode": Cost(step=0.003, row=0.002)}, room=16), rows=8)
    ears = []
    for number in range(30):
        ears.append(rehearsal.ear())
        rehearsal.speaks(ears[-1], line(f"{number}a", 4.0))
        rehearsal.speaks(ears[-1], line(f"{number}b", 4.0))
        for _ in range(5):
            rehearsal.runner.step()
    rehearsal.until_idle()
    assert max(ear.gap for ear in ears) < 0.02
    assert all(ear.ended == 2 for ear in ears)


def test_files_that_fill_the_deck_do_not_cost_a_started_stream_its_next_place() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=4, least={"vocode": 10}), rows=4)
    files, streams = [rehearsal.ear("file") for _ in range(2)], []
    for number in range(10):
        for ear in files:
            rehearsal.speaks(ear, line(f"file{id(ear)}-{number}", 8.0))
    for number in range(10):
        streams.append(rehearsal.ear())
        for part in range(3):
            rehearsal.speaks(streams[-1], line(f"stream{number}-{part}", 3.0))
        for _ in range(20):
            rehearsal.runner.step()
    rehearsal.until_idle()
    assert max(ear.gap for ear in streams) < 0.02
    assert [ear.ended for ear in files] == [10, 10]


def test_newcomers_are_heard_in_the_order_in_which_they_came() -> None:
    rehearsal = Rehearsal(Score(costs={"speak": Cost(step=0.01)}, room=4), rows=1)
    ears = [rehearsal.ear() for _ in range(6)]
    for number, ear in enumerate(ears):
        rehearsal.speaks(ear, line(str(number), 2.0))
    rehearsal.until_idle()
    began = [ear.began for ear in ears]
    assert None not in began
    assert began == sorted(began, key=lambda when: when or 0.0)


def test_a_file_gets_its_share_while_streams_never_cease() -> None:
    rehearsal = Rehearsal(Score(costs={"speak": Cost(step=0.012)}, room=4), rows=1)
    file = rehearsal.ear("file")
    for number in range(8):
        rehearsal.speaks(file, line(f"file{number}", 2.0))
    began, streams = rehearsal.clock.now(), 0
    while file.ended < 8 and streams < 400:
        if rehearsal.runner.numbers.waiting < 10:
            streams += 1
            rehearsal.speaks(rehearsal.ear(), line(f"stream{streams}", 1.0))
        rehearsal.runner.step()
    assert file.ended == 8
    assert file.listener.gpu_seconds / (rehearsal.clock.now() - began) >= 0.08


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stream", "file", "leave", "step", "fail", "fault", "full"]),
            st.integers(0, 5),
            st.sampled_from([0.1, 0.5, 2.0, 6.0]),
        ),
        max_size=40,
    ),
    st.sampled_from([1, 2, 5]),
)
def test_whatever_comes_goes_and_breaks_every_line_ends_in_exactly_one_way(
    script: list[tuple[str, int, float]], room: int
) -> None:
    stage = Stage(Score(stages=STAGES, costs=COSTS, room=room, least={"vocode": 5}), rows=3)
    ears = [stage.ear("stream" if number < 3 else "file") for number in range(6)]
    berths: dict[int, list[Berth]] = {number: [] for number in range(6)}
    for name, (act, number, seconds) in enumerate(script):
        if act in ("stream", "file", "fail"):
            options = {"fail_after": seconds / 2} if act == "fail" else {}
            berths[number].append(stage.speaks(ears[number], line(str(name), seconds, **options)))
        elif act == "leave" and berths[number]:
            stage.runner.leave(berths[number].pop(0))
        elif act == "step":
            stage.runner.step()
        else:
            stage.breaks["run"].append(MemoryError() if act == "full" else RuntimeError())
    stage.until_idle()
    assert stage.runner.numbers.waiting == stage.runner.numbers.aboard == 0
    for number, ear in enumerate(ears):
        ended = [piece.line for piece in ear.pieces if piece.last]
        assert len(ended) == len(set(ended))
        assert {berth.line.id for berth in berths[number]} <= set(ended)


def test_files_of_two_jobs_share_one_place_line_by_line() -> None:
    rehearsal = Rehearsal(Score(costs={"speak": Cost(step=0.001)}, room=1), rows=1)
    order: list[str] = []

    class Noting(Ear):
        def put(self, piece: Piece) -> None:
            super().put(piece)
            if piece.last:
                order.append(piece.line)

    first, second = Noting(rehearsal.clock, "file"), Noting(rehearsal.clock, "file")
    for number in range(3):
        rehearsal.speaks(first, line(f"a{number}"))
    for number in range(3):
        rehearsal.speaks(second, line(f"b{number}"))
    rehearsal.until_idle()
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


@pytest.mark.parametrize("turns", range(12))
def test_a_line_that_is_left_at_any_turn_frees_its_place_at_the_next(turns: int) -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=1))
    left, next_one = rehearsal.ear(), rehearsal.ear()
    berth = rehearsal.speaks(left, line("left", 5.0))
    rehearsal.speaks(next_one, line("next", 1.0))
    for _ in range(turns):
        rehearsal.runner.step()
    rehearsal.runner.leave(berth)
    heard = len(left.pieces)
    rehearsal.until_idle()
    assert len(left.pieces) == heard
    assert next_one.ended == 1
    assert rehearsal.runner.numbers.aboard == 0


def test_what_nobody_takes_is_not_made_far_ahead() -> None:
    rehearsal = Rehearsal(rules=Rules(ahead=2.0))
    slow, brisk = rehearsal.ear("file", plays=False), rehearsal.ear("file")
    rehearsal.speaks(slow, line("slow", 60.0))
    rehearsal.speaks(brisk, line("brisk", 10.0))
    rehearsal.until_idle()
    assert brisk.ended == 1
    assert 2.0 <= slow.seconds <= 6.5
    slow._plays = True
    rehearsal.until_idle()
    assert slow.ended == 1


def test_a_line_that_fails_ends_alone() -> None:
    rehearsal = Rehearsal()
    bad, good = rehearsal.ear("file"), rehearsal.ear("file")
    rehearsal.speaks(bad, line("bad", 3.0, fail_after=0.5))
    rehearsal.speaks(good, line("good", 3.0))
    rehearsal.until_idle()
    assert [error.code for error in bad.errors] == ["internal"]
    assert good.ended == 1
    assert not good.errors


def test_a_line_the_deck_refuses_is_told_why() -> None:
    rehearsal = Rehearsal()
    ear = rehearsal.ear()
    empty = line("a")
    rehearsal.speaks(ear, Line("a", " ", "en", empty.conditioning, empty.options, 1))
    rehearsal.until_idle()
    assert [error.code for error in ear.errors] == ["invalid_input"]


def test_a_deck_without_room_for_one_line_says_so_instead_of_waiting_for_ever() -> None:
    stage = Stage()
    stage.breaks["admit"].append(NoRoom())
    ear = stage.ear()
    stage.speaks(ear, line("a"))
    stage.until_idle()
    assert [error.code for error in ear.errors] == ["out_of_memory"]


@pytest.mark.parametrize("full", [MemoryError(), Failure("out_of_memory", "No memory for one more line.")])
def test_a_line_without_memory_beside_others_waits_until_one_of_them_has_gone(full: Exception) -> None:
    stage = Stage()
    first, second = stage.ear("file"), stage.ear("file")
    stage.speaks(first, line("first", 3.0))
    stage.runner.step()
    stage.breaks["admit"].append(full)
    stage.speaks(second, line("second", 3.0))
    stage.runner.step()
    assert (stage.runner.numbers.aboard, stage.runner.numbers.waiting, stage.runner.numbers.room) == (1, 1, 1)
    stage.until_idle()
    assert not first.errors + second.errors
    assert first.seconds == second.seconds == pytest.approx(3.0, abs=0.1)


def test_a_line_without_memory_that_is_alone_is_told_so() -> None:
    stage = Stage()
    stage.breaks["admit"].append(MemoryError())
    ear = stage.ear()
    stage.speaks(ear, line("a"))
    stage.until_idle()
    assert [(error.code, error.retryable) for error in ear.errors] == [("out_of_memory", True)]


def test_two_lines_of_one_name_do_not_mix() -> None:
    rehearsal = Rehearsal()
    first, second = rehearsal.ear("file"), rehearsal.ear("file")
    rehearsal.speaks(first, line("same", 2.0))
    rehearsal.speaks(second, line("same", 3.0))
    rehearsal.until_idle()
    assert [error.code for error in second.errors] == ["internal"]
    assert first.seconds == pytest.approx(2.0, abs=0.1)


def test_an_exception_ends_the_lines_of_its_turn_without_telling_what_it_said(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(Score(room=1), rows=1)
    stage.breaks["run"].append(RuntimeError("the caller's own words"))
    hit, waiting = stage.ear("file"), stage.ear("file")
    stage.speaks(hit, line("hit"))
    stage.speaks(waiting, line("waiting"))
    stage.until_idle()
    assert [error.code for error in hit.errors] == ["internal"]
    assert waiting.ended == 1
    assert not waiting.errors
    assert "RuntimeError" in caplog.text
    assert "own words" not in caplog.text + str(hit.errors[0])


def test_a_deck_that_keeps_failing_is_opened_anew() -> None:
    stage = Stage(Score(room=1), rows=1)
    stage.breaks["run"].extend(RuntimeError() for _ in range(TURNS_LOST))
    ears = [stage.ear("file") for _ in range(TURNS_LOST + 1)]
    for number, ear in enumerate(ears):
        stage.speaks(ear, line(str(number)))
    stage.until_idle()
    assert stage.decks == 2
    assert [len(ear.errors) for ear in ears] == [1] * TURNS_LOST + [0]
    assert ears[-1].ended == 1


def test_reopening_ends_who_is_aboard_and_keeps_who_waits() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=1))
    aboard, waiting = rehearsal.ear("file"), rehearsal.ear("file")
    rehearsal.speaks(aboard, line("aboard"))
    rehearsal.speaks(waiting, line("waiting"))
    rehearsal.runner.step()
    rehearsal.runner.reopen(RuntimeError())
    rehearsal.until_idle()
    assert [error.retryable for error in aboard.errors] == [True]
    assert waiting.ended == 1
    assert not waiting.errors


def test_a_line_that_does_not_end_is_cut_and_says_so() -> None:
    clock = TurnedClock()

    class Babble(Tone):
        def open(self, room: int) -> Deck:
            return Endless()

    ear = Ear(clock, "file")
    tone = Babble()
    runner = Runner(lambda: tone.open(1), tone.card, 1, clock, Rules(), lambda: None)
    runner.enter(line("babble", 1.0, longest=5.0), ear.listener, ear)
    for _ in range(100):
        runner.step()
    assert isinstance(ear.errors[0], Runaway)
    assert ear.errors[0].retryable
    assert ear.seconds <= 5.0
    assert runner.numbers.aboard == 0


def test_each_listener_pays_its_share_of_every_turn() -> None:
    rehearsal = Rehearsal(taught=False)
    ears = [rehearsal.ear("file") for _ in range(4)]
    for number, ear in enumerate(ears):
        rehearsal.speaks(ear, line(str(number), 2.0))
    rehearsal.until_idle()
    shares = [ear.listener.gpu_seconds for ear in ears]
    assert sum(shares) == pytest.approx(rehearsal.runner.numbers.busy_seconds)
    assert shares == pytest.approx([shares[0]] * 4)


def test_capacity_is_learnt_from_what_ran() -> None:
    rehearsal = Rehearsal(Score(costs={"speak": Cost(step=0.005)}), rows=1)
    assert rehearsal.runner.numbers.capacity == 4


def test_closing_tells_everybody_aboard_and_waiting() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=1))
    ears = [rehearsal.ear() for _ in range(3)]
    rehearsal.speaks(ears[0], line("aboard"))
    rehearsal.speaks(ears[1], line("waiting"))
    rehearsal.runner.step()
    rehearsal.speaks(ears[2], line("just came"))
    rehearsal.runner.close(Failure("busy", "Going away."))
    assert [[error.code for error in ear.errors] for ear in ears] == [["busy"]] * 3


def test_one_more_stream_is_welcome_only_where_it_would_be_carried() -> None:
    rehearsal = Rehearsal(rows=4)
    assert rehearsal.runner.admits
    ears = [rehearsal.ear() for _ in range(40)]
    for number, ear in enumerate(ears):
        rehearsal.speaks(ear, line(str(number), 8.0))
        for _ in range(3):
            rehearsal.runner.step()
    assert not rehearsal.runner.admits
    rehearsal.until_idle()
    assert rehearsal.runner.admits
    assert max(ear.gap for ear in ears) < 0.02


def test_who_has_come_and_was_not_seen_yet_is_counted() -> None:
    """So many as come within one turn of the deck, and no more."""
    rehearsal = Rehearsal(rows=16)
    for number in range(MANY):
        assert rehearsal.runner.admits
        rehearsal.speaks(rehearsal.ear(), line(str(number), 2.0))
    assert not rehearsal.runner.admits
    rehearsal.until_idle()
    assert rehearsal.runner.admits


def test_a_stream_is_welcome_as_soon_as_everybody_else_has_left_and_before_the_deck_looks() -> None:
    rehearsal = Rehearsal(rows=4)
    berths = [rehearsal.speaks(rehearsal.ear(), line(str(number), 8.0)) for number in range(40)]
    for _ in range(3):
        rehearsal.runner.step()
    for berth in berths[1:]:
        rehearsal.runner.leave(berth)
    assert not rehearsal.runner.admits
    rehearsal.runner.leave(berths[0])
    assert rehearsal.runner.admits


def test_abandoning_tells_everybody_once_and_gives_out_nothing_afterwards() -> None:
    rehearsal = Rehearsal(Score(stages=STAGES, costs=COSTS, room=1))
    ears = [rehearsal.ear() for _ in range(3)]
    berth = rehearsal.speaks(ears[0], line("aboard"))
    rehearsal.speaks(ears[1], line("waiting"))
    rehearsal.runner.step()
    rehearsal.speaks(ears[2], line("just came"))
    left = rehearsal.ear()
    rehearsal.runner.leave(rehearsal.speaks(left, line("left")))
    reason = Failure("internal", "It hangs.", retryable=True)
    rehearsal.runner.abandon(reason)
    rehearsal.runner.abandon(reason)
    assert [[(error.code, error.retryable) for error in ear.errors] for ear in ears] == [[("internal", True)]] * 3
    assert len({id(ear.errors[0]) for ear in ears}) == 3, "each reader has an exception of its own"
    assert not left.pieces
    assert berth.left
    heard = [len(ear.pieces) for ear in ears]
    rehearsal.until_idle()
    assert [len(ear.pieces) for ear in ears] == heard, "what the hung turn still brings is nobody's"
    assert rehearsal.runner.numbers.aboard == rehearsal.runner.numbers.waiting == 0
