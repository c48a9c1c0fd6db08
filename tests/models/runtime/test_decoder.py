"""Rows computed together against the same rows alone, and against loops written out by hand."""

import random
from typing import Any

import pytest
import torch

from models.engine import NoRoom
from models.runtime.decoder import Decoder
from models.runtime.sampler import Knobs
from tests.models.runtime import talkers
from tests.models.runtime.talkers import FRAMES, STOP, Talker, alone

pytestmark = [pytest.mark.engine, pytest.mark.environment("modern")]

KNOBS = (
    Knobs(0.0),
    Knobs(0.8, min_p=0.05, penalty=1.2),
    Knobs(1.0, top_k=7),
    Knobs(1.3, top_p=0.8, penalty=2.0),
    Knobs(0.6, top_k=20, top_p=0.95, min_p=0.02),
    Knobs(0.0, penalty=1.5),
    Knobs(2.0),
    Knobs(0.9, penalty=0.8),
)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def talker(request: pytest.FixtureRequest) -> Talker:
    return Talker(request.param)


def eight(talker: Talker) -> dict[str, dict[str, Any]]:
    """Of all lengths, knobs and seeds; every third one guided."""
    return {
        f"row{number}": talker.line(number, 3 + 5 * number, knobs, guidance=0.5 if number % 3 == 0 else 0.0)
        for number, knobs in enumerate(KNOBS)
    }


def take(decoder: Decoder, into: dict[str, list[int]], wanted: dict[str, int]) -> None:
    for id, said in decoder.decode(wanted).items():
        into[id] += said.tokens[:, 0].tolist()


def test_eight_ragged_rows_say_what_each_says_alone(talker: Talker) -> None:
    lines = eight(talker)
    decoder = talker.decoder(16)
    for id, line in lines.items():
        decoder.join(id, **line)
    said = {id: each.tokens[:, 0].tolist() for id, each in decoder.prefill(list(lines)).items()}
    while left := [id for id in lines if not decoder.rows[id].done]:
        take(decoder, said, dict.fromkeys(left, 9))
    assert said == {id: alone(talker, line) for id, line in lines.items()}
    assert len({tuple(each) for each in said.values()}) == 8


@pytest.mark.parametrize("seed", range(4))
def test_rows_join_wait_and_leave_at_any_turn(talker: Talker, seed: int) -> None:
    chance, lines = random.Random(seed), eight(talker)
    decoder, coming = talker.decoder(6), list(lines)
    said: dict[str, list[int]] = {}
    dropped: set[str] = set()
    while coming or decoder.rows:
        _enter(decoder, lines, coming, said)
        chosen = [id for id in decoder.rows if chance.random() < 0.6]
        take(decoder, said, {id: chance.randint(1, 11) for id in chosen})
        for id in [id for id, row in decoder.rows.items() if row.done or chance.random() < 0.04]:
            dropped |= set() if decoder.rows[id].done else {id}
            decoder.leave(id)
    for id, line in lines.items():
        whole = alone(talker, line)
        assert said[id] == (whole[: len(said[id])] if id in dropped else whole), id
    assert decoder.free == 6


def _enter(decoder: Decoder, lines: dict[str, Any], coming: list[str], said: dict[str, list[int]]) -> None:
    while coming and decoder.free >= len(lines[coming[0]]["prefix"]):
        id = coming.pop(0)
        decoder.join(id, **lines[id])
        said[id] = decoder.prefill([id])[id].tokens[:, 0].tolist()


def test_the_same_seed_says_the_same_and_another_does_not(talker: Talker) -> None:
    one, again, other = (alone(talker, {**talker.line(1, 9, Knobs(1.0)), "seed": seed}) for seed in (5, 5, 6))
    assert one == again != other


def test_a_row_stops_at_its_stop_and_at_its_limit_and_says_which(talker: Talker) -> None:
    decoder = talker.decoder(4)
    decoder.join("stops", **talker.line(1, 5, Knobs(3.0)))
    decoder.join("ends", **{**talker.line(1, 5, Knobs(3.0)), "limit": 4})
    first = decoder.prefill(["stops", "ends"])
    rest = decoder.decode({"stops": FRAMES, "ends": FRAMES})
    said = {id: [*first[id].tokens[:, 0], *rest[id].tokens[:, 0]] for id in rest}
    stops, ends = decoder.rows["stops"], decoder.rows["ends"]
    assert (stops.done, stops.stopped, ends.done, ends.stopped) == (True, True, True, False)
    assert STOP not in said["stops"]
    assert len(said["stops"]) == stops.frames - 1 < FRAMES - 1
    assert said["ends"] == said["stops"][:4]
    assert len(decoder.decode({"stops": 5, "ends": 5})["ends"].tokens) == 0


def test_a_guided_row_says_what_a_loop_by_hand_does(talker: Talker) -> None:
    line = talker.line(4, 12, Knobs(0.0), guidance=0.7)
    assert alone(talker, line, stops=()) == by_hand(talker, line)
    assert alone(talker, {**line, "guidance": 0.1}, stops=()) != by_hand(talker, line)


def by_hand(talker: Talker, line: dict[str, Any]) -> list[int]:
    """Everything again at every step, by transformers' own model."""
    model = talkers.published("gpt2" if hasattr(talker.network, "_places") else "llama")
    heard, said = torch.stack(line["prefix"]), list[int]()
    with torch.inference_mode():
        for frame in range(1, FRAMES + 1):
            logits = model(inputs_embeds=heard).last_hidden_state[:, -1] @ talker.head.T
            word = int((logits[0] + line["guidance"] * (logits[0] - logits[1])).argmax())
            said.append(word)
            heard = torch.cat([heard, (talker.table[word] + talker.places[frame]).expand(2, 1, -1)], dim=1)
    return said


def test_ids_are_a_prefix_too(talker: Talker) -> None:
    ids = torch.tensor([3, 1, 4, 1, 5])
    line = talker.line(1, 5)
    embedded = [talker.table[ids] + talker.places[0]]
    assert alone(talker, {**line, "prefix": [ids]}) == alone(talker, {**line, "prefix": embedded})


def test_what_was_heard_before_counts_for_the_penalty(talker: Talker) -> None:
    line = talker.line(2, 8, Knobs(0.0, penalty=50.0))
    first = alone(talker, line)[0]
    assert alone(talker, {**line, "heard": (first,)})[0] != first


def test_what_the_network_gave_is_fetched_where_it_is_asked_for(talker: Talker) -> None:
    decoder = talker.decoder(2, hidden=talkers.WIDTH)
    decoder.join("a", **talker.line(1, 6))
    first, more = decoder.prefill(["a"])["a"], decoder.decode({"a": 5})["a"]
    for said in (first, more):
        assert said.hidden is not None
        words = (torch.tensor(said.hidden) @ talker.head.T).argmax(dim=1)
        assert words.tolist()[: len(said.tokens)] == said.tokens[:, 0].tolist()


def test_what_the_network_gave_for_a_rows_stop_is_fetched_too(talker: Talker) -> None:
    line = talker.line(2, 30, Knobs(0.0))
    said = alone(talker, line)
    stop = said[4]
    decoder = talker.decoder(2, hidden=talkers.WIDTH, stops=(stop,))
    decoder.join("a", **line)
    first, more = decoder.prefill(["a"])["a"], decoder.decode({"a": 20})["a"]
    assert decoder.rows["a"].stopped
    tokens = [*first.tokens[:, 0], *more.tokens[:, 0]]
    assert tokens == said[: said.index(stop)]
    assert first.hidden is not None
    assert more.hidden is not None
    given = torch.cat([torch.tensor(first.hidden), torch.tensor(more.hidden)])
    assert (given @ talker.head.T).argmax(dim=1).tolist() == [*tokens, stop]


def test_a_full_decoder_has_no_room_and_a_row_that_left_makes_some(talker: Talker) -> None:
    decoder = talker.decoder(3)
    decoder.join("a", **talker.line(1, 4, guidance=1.0))
    with pytest.raises(NoRoom):
        decoder.join("b", **talker.line(2, 4, guidance=1.0))
    decoder.join("c", **talker.line(3, 4))
    decoder.leave("a")
    decoder.leave("a")
    assert decoder.free == 2
    decoder.join("b", **talker.line(2, 4, guidance=1.0))


def test_a_row_that_could_never_fit_is_refused(talker: Talker) -> None:
    decoder = talker.decoder(2)
    for length in (0, talkers.CAPACITY - FRAMES + 1):
        with pytest.raises(ValueError, match="do not fit"):
            decoder.join("a", **talker.line(1, length))
    assert decoder.free == 2


def test_what_a_slot_held_before_is_not_heard(talker: Talker) -> None:
    decoder, line = talker.decoder(1), talker.line(2, 6, Knobs(1.0, penalty=1.3))
    said: list[list[int]] = []
    for before in (talker.line(9, 40, Knobs(1.0)), line):
        decoder.join("a", **before)
        said.append(decoder.prefill(["a"])["a"].tokens[:, 0].tolist())
        said[-1] += decoder.decode({"a": FRAMES})["a"].tokens[:, 0].tolist()
        decoder.leave("a")
    assert said[1] == alone(talker, line)
