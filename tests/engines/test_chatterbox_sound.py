"""Against upstream's own passes over the same tiny network and noise; and rows and chunks against each other."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples
from basics.errors import Failure
from models.engine import Conditioning
from tests.engines import tiny_chatterbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

FRAME, TOKEN = 480, 960
FILES = {"english": "s3gen.safetensors", "multilingual": "s3gen.pt", "turbo": "s3gen_meanflow.safetensors"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatterbox.make(tmp_path_factory.mktemp("chatterbox"))


@pytest.fixture(scope="module")
def sounds(weights: Path) -> dict[str, Any]:
    from models.engines.chatterbox_sound import Sound

    with tiny_chatterbox.small():
        return {name: Sound.load(weights / name / file, "cpu") for name, file in FILES.items()}


@pytest.fixture(scope="module", params=["english", "turbo"])
def sound(request: pytest.FixtureRequest, sounds: dict[str, Any]) -> Any:
    return sounds[request.param]


def voice(seed: int, tokens: int = 40) -> Conditioning:
    dice = np.random.default_rng(seed)
    return {
        "gen.prompt_token": dice.integers(0, 6561, (1, tokens)),
        "gen.prompt_token_len": np.array([tokens]),
        "gen.prompt_feat": dice.normal(-5, 1, (1, 2 * tokens, 80)).astype(np.float32),
        "gen.embedding": dice.normal(0, 1, (1, 192)).astype(np.float32),
    }


def said(seed: int, tokens: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(0, 6561, tokens)]


def begun(sound: Any, seed: int, tokens: int | Sequence[int], prompt: int = 40, **knobs: Any) -> Any:
    from models.engines.chatterbox_row import Knobs

    row = sound.begin(voice(seed, prompt), seed, Knobs(**knobs))
    row.add(said(seed, tokens) if isinstance(tokens, int) else tokens, last=True)
    return row


def whole(sound: Any, row: Any) -> Samples:
    if row.offer:
        sound.flow([(row, row.offer[1])])
    made: Samples = sound.vocode([row])[0] if row.frames else np.zeros(0, np.float32)
    assert row.over
    return made


def streamed(sound: Any, row: Any, tokens: list[int], at_once: int = 4) -> list[Samples]:
    """As tokens come, a few at a time, in the smallest chunks on offer."""
    pieces: list[Samples] = []
    while not row.over:
        if not row.last:
            row.add(tokens[:at_once], last=len(tokens) <= at_once)
            tokens = tokens[at_once:]
        if row.offer:
            sound.flow([(row, row.offer[0])])
            pieces += sound.vocode([row])
    return pieces


@contextlib.contextmanager
def drawing(monkeypatch: pytest.MonkeyPatch, row: Any, tokens: int) -> Iterator[None]:
    """Upstream draws a row's own noise, by the shape of what it asks for."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    real = torch.randn_like
    mel = row.noise.frames(0, 2 * tokens)
    known = {
        each.shape: each
        for each in (torch.cat([row.prompt.noise, mel], dim=1)[None], row.hiss.frames(0, 2 * tokens)[None])
    }
    with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(torch, "randn_like", lambda x: known[x.shape].clone() if x.shape in known else real(x))
        patch.setattr(torch, "randn", lambda *_, **__: mel[None].clone())
        uniform = torch.distributions.Uniform
        patch.setattr(uniform, "sample", lambda *_, **__: row.phases[None, :, None].clone())
        yield


@pytest.mark.parametrize("name", list(FILES))
def test_a_whole_pass_is_upstreams_own(name: str, sounds: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    sound = sounds[name]
    tokens = said(3, 60)
    mine = whole(sound, begun(sound, 3, tokens))
    row = begun(sound, 3, tokens)
    given = {key.removeprefix("gen."): torch.from_numpy(array) for key, array in voice(3).items()}
    with drawing(monkeypatch, row, 60), contextlib.redirect_stderr(io.StringIO()):
        theirs, _ = sound.net.inference(torch.tensor([tokens]), ref_dict={**given, "prompt_feat_len": None})
    assert mine.shape == theirs[0].shape
    assert np.abs(mine).max() > 0.1
    assert np.abs(mine - theirs[0].numpy()).max() < 1e-3


def test_eight_rows_of_different_voices_and_lengths_are_each_as_alone(sound: Any) -> None:
    sizes = {1: 12, 2: 40, 5: 25, 17: 33, 30: 8, 60: 40, 41: 19, 12: 50}
    rows = [begun(sound, seed, size, prompt) for seed, (size, prompt) in enumerate(sizes.items())]
    sound.flow([(row, row.offer[1]) for row in rows])
    together = sound.vocode(rows)
    for seed, (size, prompt) in enumerate(sizes.items()):
        alone = whole(sound, begun(sound, seed, size, prompt))
        assert len(alone) == size * TOKEN
        assert np.abs(together[seed] - alone).max() < 1e-3


def test_chunks_of_eight_rows_together_are_those_of_each_alone(sound: Any) -> None:
    rows = [begun(sound, seed, 10 + 3 * seed) for seed in range(8)]
    pieces: list[list[Samples]] = [[] for _ in rows]
    while busy := [(at, row) for at, row in enumerate(rows) if not row.over]:
        sound.flow([(row, row.offer[0]) for _, row in busy])
        for (at, _), piece in zip(busy, sound.vocode([row for _, row in busy]), strict=True):
            pieces[at].append(piece)
    for seed, mine in enumerate(pieces):
        alone = streamed(sound, begun(sound, seed, 10 + 3 * seed), [])
        assert np.abs(np.concatenate(mine) - np.concatenate(alone)).max() < 1e-3


def test_rows_with_their_own_steps_and_guidance_share_a_call(sounds: dict[str, Any]) -> None:
    knobs: list[dict[str, Any]] = [{}, {"guidance": 0.0}, {"guidance": 1.5}, {"steps": 4}]
    rows = [begun(sounds["english"], 1, 20, **each) for each in knobs]
    sounds["english"].flow([(row, 20) for row in rows])
    together = sounds["english"].vocode(rows)
    for each, mine in zip(knobs, together, strict=True):
        assert np.abs(mine - whole(sounds["english"], begun(sounds["english"], 1, 20, **each))).max() < 1e-3
    assert min(np.abs(one - together[0]).max() for one in together[1:]) > 1e-3


def test_a_stream_is_as_long_as_the_whole_and_begins_small(sound: Any) -> None:
    row = sound.begin(voice(1), 1)
    pieces = streamed(sound, row, said(1, 150))
    assert sum(map(len, pieces)) == 150 * TOKEN
    assert len(pieces[0]) <= 8 * TOKEN
    assert len(pieces) > 4
    assert max(map(len, pieces)) <= 33 * TOKEN


def test_a_stream_is_much_nearer_to_its_whole_than_another_take_is(sound: Any) -> None:
    """Of a random network, whose attention is spread over everything: a trained one hears what is near."""
    import torch

    tokens = said(1, 120)
    rows = [begun(sound, seed, tokens) for seed in (1, 1, 2)]
    for row in rows[1:]:
        sound.flow([(row, 120)])
    made = []
    while not rows[0].over:
        done = rows[0].done
        sound.flow([(rows[0], rows[0].offer[0])])
        made.append(rows[0].mel[:, 2 * done - rows[0].first : 2 * rows[0].done - rows[0].first])
        sound.vocode(rows[:1])
    through, once, other = torch.cat(made, dim=1), rows[1].mel, rows[2].mel
    assert through.shape == once.shape
    assert float((through - once).abs().mean()) < 0.3 * float((other - once).abs().mean())


def test_the_vocoder_goes_on_where_it_was_as_if_there_were_no_chunks(sounds: dict[str, Any]) -> None:
    """The same frames given at once and bit by bit: the source's phase, its noise and every layer go on."""
    sound = sounds["english"]
    row = begun(sound, 1, 150)
    sound.flow([(row, 150)])
    frames = row.mel.clone()
    once = sound.vocode([row])[0]
    row = begun(sound, 1, 150)
    row.last, pieces = False, []
    for end in (16, 48, 112, 176, 300):
        row.last, row.done = end == 300, end // 2
        row.mel = frames[:, row.first : min(300, end + 6)].clone()
        pieces += sound.vocode([row])
    assert np.abs(np.concatenate(pieces) - once).max() < 1e-3


def test_borders_of_chunks_have_the_spectrum_of_any_other_place(sounds: dict[str, Any]) -> None:
    """A click is broad: above 8 kHz a border would stand out from the frames around it."""
    sound = sounds["english"]
    ratios = []
    for seed in range(3):
        pieces = streamed(sound, sound.begin(voice(seed), seed), said(seed, 90))
        joined = np.concatenate(pieces)
        borders = np.cumsum([len(piece) for piece in pieces])[:-1]
        everywhere = [hiss(joined, at) for at in range(4 * FRAME, len(joined) - 4 * FRAME, FRAME // 2)]
        ratios += [np.mean(np.array(everywhere) > hiss(joined, int(at))) for at in borders]
        ratios += [np.mean(np.array(everywhere) > hiss(joined, int(at) + FRAME)) for at in borders]
    assert 0.3 < float(np.mean(ratios)) < 0.7
    assert min(ratios) > 0.0


def hiss(samples: Samples, at: int) -> float:
    part = samples[at - 64 : at + 64] * np.hanning(128)
    return float((np.abs(np.fft.rfft(part))[43:] ** 2).sum())


def test_tokens_that_are_no_speech_are_dropped(sound: Any) -> None:
    tokens = said(1, 12)
    row = sound.begin(voice(1), 1)
    row.add([6561, *tokens[:5], 6562, 8193], last=False)
    row.add([*tokens[5:], -1, 6561], last=True)
    assert np.array_equal(whole(sound, row), whole(sound, begun(sound, 1, tokens)))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_line_of_hardly_a_token_does_not_break(sound: Any, count: int) -> None:
    row = begun(sound, 1, count)
    assert row.over == (count == 0)
    made = whole(sound, row)
    assert len(made) == count * TOKEN
    assert np.isfinite(made).all()
    assert not made[: min(len(made), FRAME)].any()


def test_nothing_is_on_offer_before_enough_tokens_are_in(sound: Any) -> None:
    from models.engines.chatterbox_row import AHEAD, RAMP, Knobs

    row, patient = sound.begin(voice(1), 1), sound.begin(voice(1), 1, Knobs(whole=True))
    for each in (row, patient):
        each.add(said(1, RAMP[0] + AHEAD - 1))
        assert each.offer is None
    row.add([1])
    assert row.offer == (RAMP[0], RAMP[0])
    patient.add(said(2, 50), last=True)
    assert patient.offer == (RAMP[0] + AHEAD + 49,) * 2
    with pytest.raises(ValueError, match="last token"):
        patient.add([1])


def test_a_rows_memory_does_not_grow_with_its_line(sound: Any) -> None:
    row, tokens, seen = sound.begin(voice(1), 1), said(1, 224), []
    while not row.over:
        if not row.last:
            row.add(tokens[:32], last=len(tokens) <= 32)
            tokens = tokens[32:]
        if row.offer:
            sound.flow([(row, row.offer[0])])
            sound.vocode([row])
            seen.append(row.mel.shape[1] + row.source.shape[0] // FRAME)
    assert max(seen) == max(seen[:4])


def test_half_precision_is_nearly_the_same(weights: Path, sounds: dict[str, Any]) -> None:
    from models.engines.chatterbox_sound import Sound

    with tiny_chatterbox.small():
        half = Sound.load(weights / "english" / FILES["english"], "cpu", "bf16")
    exact, rough = (begun(each, 1, 30) for each in (sounds["english"], half))
    for each, row in ((sounds["english"], exact), (half, rough)):
        each.flow([(row, 30)])
    assert 0 < float((exact.mel - rough.mel).abs().mean()) < 0.05 * float(exact.mel.std())


def test_damaged_and_incomplete_weights_say_so(weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from models.engines.chatterbox_sound import Sound

    broken, lacking = tmp_path / "s3gen.safetensors", tmp_path / "less.safetensors"
    broken.write_bytes(b"half a file")
    held = load_file(weights / "english" / FILES["english"])
    save_file({name: each for name, each in held.items() if not name.startswith("flow.encoder_proj")}, lacking)
    with tiny_chatterbox.small():
        for file, why in ((broken, "cannot be read"), (lacking, "lacks some")):
            with pytest.raises(Failure, match=why) as error:
                Sound.load(file, "cpu")
            assert error.value.code == "weights_missing"
    with pytest.raises(Failure, match="DTYPE"):
        Sound.load(broken, "cpu", "int4")
